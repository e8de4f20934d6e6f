import { StrongroomError } from '../../lib/index.ts';
import type { Capability } from '../operation.ts';
import type { ParameterRules, PolicyRule } from './policy-rule.ts';

export const POLICY_BYTES_MAX = 128 * 1024;
export const POLICY_PATHS_MAX = 1024;
const PARAMETERS_MAX = 256;

const CAPABILITIES: ReadonlySet<string> = new Set([
  'create',
  'read',
  'update',
  'delete',
  'list',
  'patch',
  'sudo',
  'deny',
]);

/** The short form that Vault's first policies had. */
const LEGACY: Readonly<Record<string, readonly Capability[]>> = {
  deny: ['deny'],
  read: ['read', 'list'],
  write: ['create', 'read', 'update', 'delete', 'list'],
  sudo: ['create', 'read', 'update', 'delete', 'list', 'sudo'],
};

/**
 * Reads a policy in HCL or JSON. About 1 ms, and 150 ms the first time, when the HCL parser is
 * loaded: so what comes out is stored beside the text, and no request ever waits for this.
 *
 * @throws StrongroomError `policy.invalid` saying where, `request.too-large`.
 */
export async function parsePolicy(text: string): Promise<readonly PolicyRule[]> {
  if (Buffer.byteLength(text) > POLICY_BYTES_MAX) {
    throw new StrongroomError(
      'request.too-large',
      `Cannot read the policy: it is over ${POLICY_BYTES_MAX} bytes`,
    );
  }
  const root = text.trimStart().startsWith('{') ? fromJson(text) : await fromHcl(text);
  const rules: PolicyRule[] = [];
  for (const [key, value] of Object.entries(root)) {
    if (key === 'name') continue;
    if (key !== 'path') throw invalid(`"${printable(key)}" is not known here, only "path" is`);
    for (const paths of listed(value)) {
      for (const [path, bodies] of Object.entries(record(paths, '"path"'))) {
        for (const body of listed(bodies)) rules.push(ruleOf(path, body));
      }
    }
  }
  if (rules.length > POLICY_PATHS_MAX) throw invalid(`it has over ${POLICY_PATHS_MAX} paths`);
  return rules;
}

function fromJson(text: string): Record<string, unknown> {
  try {
    return record(JSON.parse(text), 'the policy');
  } catch (error) {
    if (error instanceof StrongroomError) throw error;
    throw invalid('it begins with "{" but is not JSON', error);
  }
}

async function fromHcl(text: string): Promise<Record<string, unknown>> {
  // Loaded when first needed: it starts a WebAssembly program.
  const { parse } = await import('@cdktf/hcl2json');
  try {
    return record(await parse('policy', text), 'the policy');
  } catch (error) {
    if (error instanceof StrongroomError) throw error;
    // "parse config: [policy:3,1-5: Unclosed ...]": line and column help; the rest quotes nothing.
    const reason = error instanceof Error ? error.message : String(error);
    const [, position] = /policy:(\d+,\d+)/.exec(reason) ?? [];
    const [, summary] = /policy:[\d,-]+: ([^;]{1,120})/.exec(reason) ?? [];
    throw invalid(`line and column ${position ?? 'unknown'}: ${summary ?? 'not HCL'}`, error);
  }
}

function ruleOf(givenPath: string, body: unknown): PolicyRule {
  const path = givenPath.replace(/^\//, '');
  const where = `path "${printable(path)}"`;
  if (path.includes('+*')) throw invalid(`${where}: "+*" is not allowed`);
  if (path.includes('${')) throw invalid(`${where}: "\${" is not allowed`);
  const templated = checkTemplates(path, where);
  const fields = record(body, where);
  const capabilities = new Set<Capability>();
  let wrappedOnly = false;
  const parameters: Record<string, ParameterRules | readonly string[]> = {};
  for (const [key, value] of Object.entries(fields)) {
    switch (key) {
      case 'capabilities':
        for (const one of capabilitiesOf(value, where)) capabilities.add(one);
        break;
      case 'policy':
        for (const one of legacyOf(value, where)) capabilities.add(one);
        break;
      case 'allowed_parameters':
        parameters['allowedParameters'] = parameterRules(value, `${where}: ${key}`);
        break;
      case 'denied_parameters':
        parameters['deniedParameters'] = parameterRules(value, `${where}: ${key}`);
        break;
      case 'required_parameters':
        parameters['requiredParameters'] = strings(value, `${where}: ${key}`).map(lower);
        break;
      case 'min_wrapping_ttl':
      case 'max_wrapping_ttl':
        wrappedOnly ||= value !== 0 && value !== '0' && value !== '';
        break;
      case 'comment':
        break;
      default:
        throw invalid(`${where}: "${printable(key)}" is not known`);
    }
  }
  return {
    path,
    // Deny takes everything else away.
    capabilities: capabilities.has('deny') ? ['deny'] : [...capabilities].sort(),
    ...parameters,
    ...(wrappedOnly ? { wrappedOnly } : {}),
    ...(templated ? { templated } : {}),
  };
}

function capabilitiesOf(value: unknown, where: string): readonly Capability[] {
  const names = strings(value, `${where}: capabilities`);
  for (const name of names) {
    if (!CAPABILITIES.has(name)) {
      throw invalid(
        `${where}: "${printable(name)}" is no capability, these are: ${[...CAPABILITIES].join(', ')}`,
      );
    }
  }
  return names as readonly Capability[];
}

function legacyOf(value: unknown, where: string): readonly Capability[] {
  const found =
    typeof value === 'string' && Object.hasOwn(LEGACY, value) ? LEGACY[value] : undefined;
  if (found === undefined) throw invalid(`${where}: "policy" must be deny, read, write or sudo`);
  return found;
}

function parameterRules(value: unknown, where: string): ParameterRules {
  const rules: Record<string, readonly unknown[]> = Object.create(null) as Record<string, []>;
  for (const part of listed(value)) {
    for (const [name, values] of Object.entries(record(part, where))) {
      if (!Array.isArray(values)) throw invalid(`${where}: each parameter needs a list of values`);
      rules[lower(name)] = values;
    }
  }
  if (Object.keys(rules).length > PARAMETERS_MAX) {
    throw invalid(`${where}: over ${PARAMETERS_MAX} parameters`);
  }
  return rules;
}

/** @returns whether there are any. */
function checkTemplates(path: string, where: string): boolean {
  const rest = path.replace(/\{\{[^{}]*\}\}/g, '');
  if (rest.includes('{{') || rest.includes('}}')) {
    throw invalid(`${where}: "{{" and "}}" do not pair`);
  }
  return rest !== path;
}

function strings(value: unknown, where: string): readonly string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw invalid(`${where} must be a list of strings`);
  }
  return value;
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${what} must be an object`);
  }
  return value as Record<string, unknown>;
}

/** HCL blocks come as lists, because they may be repeated; JSON policies give one. */
function listed(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function lower(name: string): string {
  return name.toLowerCase();
}

function printable(text: string): string {
  return text.slice(0, 128).replace(/[^\x20-\x7e]/g, '?');
}

function invalid(why: string, cause?: unknown): StrongroomError {
  return new StrongroomError('policy.invalid', `Cannot read the policy: ${why}`, { cause });
}
