import type { Capability } from '../operation.ts';
import { mergeRules, type ParameterLimits, withinLimits } from './parameters.ts';
import { byPriority, type PolicyRule, pathForm } from './policy-rule.ts';

/** What all of a token's policies together say of one path string. */
interface Grant {
  readonly path: string;
  capabilities: ReadonlySet<Capability>;
  limits: ParameterLimits | undefined;
  wrappedOnly: boolean;
}

export interface AclQuestion {
  readonly path: string;
  readonly capability: Capability;
  /** Demands `sudo` beside it. */
  readonly sudo: boolean;
  /** Asked for only when a rule looks at parameters. */
  readonly parameters: () => Readonly<Record<string, unknown>>;
}

const LIMITED: ReadonlySet<Capability> = new Set(['read', 'create', 'update', 'patch']);

/**
 * The rules of a set of policies, made ready for lookup. One rule decides each path: an exact one,
 * else the wildcard rule of highest priority. Cost of a lookup: one map access, one for each
 * different length of prefix, and one comparison for each "+" rule until one matches.
 */
export class Acl {
  /** Allows everything. */
  static readonly root = new Acl([], true);

  readonly isRoot: boolean;
  readonly #exact = new Map<string, Grant>();
  /** Prefixes without their "*", by length; lengths descending. */
  readonly #prefixes: { readonly length: number; readonly grants: Map<string, Grant> }[] = [];
  /** Highest priority first. */
  readonly #segments: { readonly parts: readonly string[]; readonly grant: Grant }[] = [];

  private constructor(policies: readonly (readonly PolicyRule[])[], isRoot: boolean) {
    this.isRoot = isRoot;
    for (const grant of mergeByPath(policies)) this.#add(grant);
    this.#prefixes.sort((a, b) => b.length - a.length);
    this.#segments.sort((a, b) => byPriority(a.grant.path, b.grant.path));
  }

  static of(policies: readonly (readonly PolicyRule[])[]): Acl {
    return new Acl(policies, false);
  }

  allows(question: AclQuestion): boolean {
    if (this.isRoot) return true;
    const grant = this.#find(question.path, question.capability === 'list');
    if (grant === undefined || grant.capabilities.has('deny') || grant.wrappedOnly) return false;
    if (!grant.capabilities.has(question.capability)) return false;
    if (question.sudo && !grant.capabilities.has('sudo')) return false;
    if (grant.limits === undefined || !LIMITED.has(question.capability)) return true;
    return withinLimits(grant.limits, question.parameters());
  }

  /** Sorted; `["root"]` for root and `["deny"]` for nothing at all. */
  capabilities(path: string): readonly string[] {
    if (this.isRoot) return ['root'];
    const grant = this.#find(path, true);
    if (grant === undefined || grant.capabilities.size === 0) return ['deny'];
    return grant.capabilities.has('deny') ? ['deny'] : [...grant.capabilities].sort();
  }

  /** The path of the rule that decides, for explaining. */
  decidingRule(path: string, capability: Capability): string | undefined {
    return this.#find(path, capability === 'list')?.path;
  }

  #add(grant: Grant): void {
    switch (pathForm(grant.path)) {
      case 'exact':
        this.#exact.set(grant.path, grant);
        return;
      case 'prefix': {
        const prefix = grant.path.slice(0, -1);
        let group = this.#prefixes.find((one) => one.length === prefix.length);
        if (group === undefined) {
          group = { length: prefix.length, grants: new Map() };
          this.#prefixes.push(group);
        }
        group.grants.set(prefix, grant);
        return;
      }
      default:
        this.#segments.push({ parts: grant.path.split('/'), grant });
    }
  }

  /** A listing of "a/" is also decided by what is said of "a". */
  #find(path: string, isListing: boolean): Grant | undefined {
    const bare = isListing && path.endsWith('/') ? path.slice(0, -1) : undefined;
    return (
      this.#exact.get(path) ??
      (bare === undefined ? undefined : this.#exact.get(bare)) ??
      this.#findWildcard(path) ??
      (bare === undefined ? undefined : this.#findWildcard(bare))
    );
  }

  #findWildcard(path: string): Grant | undefined {
    const prefix = this.#findPrefix(path);
    if (this.#segments.length === 0) return prefix;
    const parts = path.split('/');
    const found = this.#segments.find((one) => segmentsMatch(one.parts, parts))?.grant;
    if (found === undefined || prefix === undefined) return found ?? prefix;
    return byPriority(found.path, prefix.path) < 0 ? found : prefix;
  }

  #findPrefix(path: string): Grant | undefined {
    for (const group of this.#prefixes) {
      if (group.length > path.length) continue;
      const grant = group.grants.get(path.slice(0, group.length));
      if (grant !== undefined) return grant;
    }
    return undefined;
  }
}

/** "+" is one whole segment; a trailing "*" makes the last part a prefix of all that follows. */
function segmentsMatch(pattern: readonly string[], path: readonly string[]): boolean {
  const last = pattern.length - 1;
  const isGlob = pattern[last]?.endsWith('*') === true;
  if (isGlob ? path.length < pattern.length : path.length !== pattern.length) return false;
  for (let at = 0; at < pattern.length; at++) {
    const wanted = pattern[at] ?? '';
    const given = path[at] ?? '';
    if (at === last && isGlob) return given.startsWith(wanted.slice(0, -1));
    if (wanted !== '+' && wanted !== given) return false;
  }
  return true;
}

function mergeByPath(policies: readonly (readonly PolicyRule[])[]): Iterable<Grant> {
  const grants = new Map<string, Grant>();
  for (const rule of policies.flat()) {
    if (rule.templated === true) continue;
    const former = grants.get(rule.path);
    const grant = grantOf(rule);
    grants.set(rule.path, former === undefined ? grant : merged(former, grant));
  }
  return grants.values();
}

function grantOf(rule: PolicyRule): Grant {
  const limited =
    rule.allowedParameters !== undefined ||
    rule.deniedParameters !== undefined ||
    rule.requiredParameters !== undefined;
  return {
    path: rule.path,
    capabilities: new Set(rule.capabilities),
    limits: limited
      ? {
          allowed: rule.allowedParameters ?? {},
          denied: rule.deniedParameters ?? {},
          required: rule.requiredParameters ?? [],
        }
      : undefined,
    wrappedOnly: rule.wrappedOnly === true,
  };
}

const DENY: ReadonlySet<Capability> = new Set(['deny']);

function merged(a: Grant, b: Grant): Grant {
  if (a.capabilities.has('deny') || b.capabilities.has('deny')) {
    return { path: a.path, capabilities: DENY, limits: undefined, wrappedOnly: false };
  }
  return {
    path: a.path,
    capabilities: new Set([...a.capabilities, ...b.capabilities]),
    limits:
      a.limits === undefined || b.limits === undefined
        ? (a.limits ?? b.limits)
        : {
            allowed: mergeRules(a.limits.allowed, b.limits.allowed),
            denied: mergeRules(a.limits.denied, b.limits.denied),
            required: [...new Set([...a.limits.required, ...b.limits.required])],
          },
    wrappedOnly: a.wrappedOnly || b.wrappedOnly,
  };
}
