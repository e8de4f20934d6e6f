import type { Capability } from '../operation.ts';

/** What one `path` stanza of a policy says. Kept beside the policy's text, as JSON. */
export interface PolicyRule {
  /** As written, without a leading "/". May hold "+" segments and end in "*". */
  readonly path: string;
  readonly capabilities: readonly Capability[];
  /** By lower-case name; an empty list means any value. */
  readonly allowedParameters?: ParameterRules;
  readonly deniedParameters?: ParameterRules;
  readonly requiredParameters?: readonly string[];
  /** Only wrapped answers are allowed. */
  readonly wrappedOnly?: true;
  /** Holds a `{{template}}`. Identities do not exist here, so it matches nothing. */
  readonly templated?: true;
}

export type ParameterRules = Readonly<Record<string, readonly unknown[]>>;

/** How a rule's path matches. */
export type PathForm = 'exact' | 'prefix' | 'segments';

/** Only a trailing "*" is a glob, and only a whole "+" segment a wildcard. */
export function pathForm(path: string): PathForm {
  if (path === '+' || path.startsWith('+/') || path.includes('/+')) return 'segments';
  return path.endsWith('*') ? 'prefix' : 'exact';
}

/**
 * Which of two wildcard rules that match the same path wins: the later first wildcard, then not
 * ending in "*", then fewer "+", then the longer, then the lexicographically greater. Negative when
 * `a` wins. Several rules are never merged (Vault's policy documentation, "priority matching").
 */
export function byPriority(a: string, b: string): number {
  const wildcards = firstWildcard(b) - firstWildcard(a);
  if (wildcards !== 0) return wildcards;
  const globs = Number(a.endsWith('*')) - Number(b.endsWith('*'));
  if (globs !== 0) return globs;
  const pluses = plusSegments(a) - plusSegments(b);
  if (pluses !== 0) return pluses;
  if (a.length !== b.length) return b.length - a.length;
  return a > b ? -1 : a < b ? 1 : 0;
}

function firstWildcard(path: string): number {
  const segments = path.split('/');
  let at = 0;
  for (const segment of segments) {
    if (segment === '+') return at;
    at += segment.length + 1;
  }
  return path.endsWith('*') ? path.length - 1 : path.length;
}

function plusSegments(path: string): number {
  let count = 0;
  for (const segment of path.split('/')) if (segment === '+') count++;
  return count;
}
