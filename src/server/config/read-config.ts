import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { StrongroomError } from '../../lib/index.ts';
import { nearestWord } from './nearest.ts';
import { type NodeConfig, nodeConfigSchema } from './schema.ts';

const CONFIG_BYTES_MAX = 1024 * 1024;

/**
 * Reads one node's configuration from a YAML or JSON file. Relative paths in it are relative to the
 * file's own folder.
 *
 * @throws StrongroomError `config.unreadable`, `config.invalid`
 */
export function readNodeConfig(file: string): NodeConfig {
  const config = parseNodeConfig(readText(file), file);
  const absolute = (path: string) => resolve(dirname(resolve(file)), path);
  return {
    ...config,
    dataDir: absolute(config.dataDir),
    ...(config.join === undefined
      ? {}
      : {
          join: {
            ...config.join,
            tokenFile: absolute(config.join.tokenFile),
            ...(config.join.caFile === undefined ? {} : { caFile: absolute(config.join.caFile) }),
          },
        }),
    seal: {
      slots: config.seal.slots.map((slot) =>
        slot.kind === 'pkcs11' && slot.pinFile !== undefined
          ? { ...slot, pinFile: absolute(slot.pinFile) }
          : slot.kind === 'dev' && slot.path !== undefined
            ? { ...slot, path: absolute(slot.path) }
            : slot,
      ),
    },
    audit: {
      files: config.audit.files.map((one) => ({ ...one, path: absolute(one.path) })),
    },
    log: {
      ...config.log,
      ...(config.log.file === undefined ? {} : { file: absolute(config.log.file) }),
    },
  };
}

/**
 * Checks a configuration's text (JSON is YAML too) without touching the disk.
 *
 * @param source what to call it in errors.
 * @throws StrongroomError `config.invalid`, naming every wrong field and the nearest right name.
 */
export function parseNodeConfig(text: string, source: string): NodeConfig {
  const raw = parseYaml(text, source);
  const result = nodeConfigSchema.safeParse(raw);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => explain(issue, raw));
  throw new StrongroomError(
    'config.invalid',
    `Cannot use configuration ${source}: ${problems.join('; ')}`,
    { details: { problems: problems.length } },
  );
}

function readText(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > CONFIG_BYTES_MAX) {
      throw new StrongroomError(
        'config.invalid',
        `Cannot use configuration ${file}: it has ${size} bytes, at most ${CONFIG_BYTES_MAX} are read`,
      );
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof StrongroomError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new StrongroomError(
      'config.unreadable',
      `Cannot read configuration ${file}: ${code}; name a file that this user may read`,
      { cause: error },
    );
  }
}

function parseYaml(text: string, source: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0, logLevel: 'error' });
  } catch (error) {
    // Only the place: the parser's own message quotes the line, which might hold a misplaced secret.
    const at = error instanceof YAMLParseError ? error.linePos?.[0] : undefined;
    const place = at === undefined ? '' : ` at line ${at.line}, column ${at.col}`;
    const kind = error instanceof YAMLParseError ? ` (${error.code})` : '';
    throw new StrongroomError(
      'config.invalid',
      `Cannot use configuration ${source}: it is not valid YAML or JSON${place}${kind}`,
    );
  }
}

function explain(issue: z.core.$ZodIssue, raw: unknown): string[] {
  const place = issue.path.map(String).join('.');
  const at = (key: string) => (place === '' ? key : `${place}.${key}`);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(nodeConfigSchema, issue.path, raw);
    return issue.keys.map((key) => {
      const nearest = nearestWord(key, known);
      const help =
        nearest === undefined ? `known here: ${known.join(', ')}` : `did you mean "${nearest}"?`;
      return `"${at(key)}" is unknown, ${help}`;
    });
  }
  const message = issue.message.replace(/^Invalid input: /, '');
  return [place === '' ? message : `"${place}" ${message}`];
}

/** The field names that the schema knows at a path of the document. */
function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[], raw: unknown): string[] {
  let at: unknown = schema;
  let value = raw;
  for (const step of [...path, undefined]) {
    at = unwrap(at, value);
    if (step === undefined) break;
    if (at instanceof z.ZodObject) at = at.shape[String(step)];
    else if (at instanceof z.ZodArray) at = at.element;
    else return [];
    value = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrap(schema: unknown, value: unknown): unknown {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodDefault || at instanceof z.ZodPrefault) {
    at = at.unwrap();
  }
  if (!(at instanceof z.ZodDiscriminatedUnion)) return at;
  const kind = (value as { readonly kind?: unknown } | undefined)?.kind;
  return at.options.find(
    (option) =>
      option instanceof z.ZodObject &&
      option.shape['kind'] instanceof z.ZodLiteral &&
      option.shape['kind'].value === kind,
  );
}
