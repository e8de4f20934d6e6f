import { isDeepStrictEqual } from 'node:util';
import type { ParameterRules } from './policy-rule.ts';

/** The parameter rules of one path, merged from all policies that name it. */
export interface ParameterLimits {
  readonly allowed: ParameterRules;
  readonly denied: ParameterRules;
  readonly required: readonly string[];
}

/**
 * Whether a request's fields keep to the limits. Only top-level fields are looked at. As Vault has
 * it: without any field all is well, unless one is required.
 */
export function withinLimits(
  limits: ParameterLimits,
  parameters: Readonly<Record<string, unknown>>,
): boolean {
  const given = Object.entries(parameters).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  const names = new Set(given.map(([name]) => name));
  if (!limits.required.every((name) => names.has(name))) return false;
  if (given.length === 0) return true;

  if (limits.denied['*'] !== undefined) return false;
  for (const [name, value] of given) {
    const values = limits.denied[name];
    if (values !== undefined && isListed(value, values)) return false;
  }

  if (Object.keys(limits.allowed).length === 0) return true;
  const others = limits.allowed['*'] !== undefined;
  return given.every(([name, value]) => {
    const values = limits.allowed[name];
    return values === undefined ? others : isListed(value, values);
  });
}

/** An empty list stands for every value. */
function isListed(value: unknown, values: readonly unknown[]): boolean {
  return values.length === 0 || values.some((one) => matches(one, value));
}

function matches(pattern: unknown, value: unknown): boolean {
  if (typeof pattern !== 'string' || typeof value !== 'string') {
    return isDeepStrictEqual(pattern, value);
  }
  if (pattern.length < 2) return pattern === value;
  const head = pattern.startsWith('*');
  const tail = pattern.endsWith('*');
  const text = pattern.slice(head ? 1 : 0, tail ? -1 : undefined);
  if (head && tail) return value.includes(text);
  if (head) return value.endsWith(text);
  return tail ? value.startsWith(text) : value === text;
}

/** Merges what two policies say of one path: lists grow, and an empty list (any value) wins. */
export function mergeRules(a: ParameterRules, b: ParameterRules): ParameterRules {
  const merged: Record<string, readonly unknown[]> = Object.assign(
    Object.create(null) as Record<string, readonly unknown[]>,
    a,
  );
  for (const [name, values] of Object.entries(b)) {
    const former = merged[name];
    merged[name] =
      former === undefined
        ? values
        : former.length === 0 || values.length === 0
          ? []
          : [...former, ...values];
  }
  return merged;
}
