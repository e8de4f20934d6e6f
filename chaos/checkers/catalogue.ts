import type { Checker } from './checker.ts';
import { linearizable } from './linearizable.ts';

/** Every checker there is. `docs/chaos.md` says how to add one. */
export const checkers: readonly Checker[] = [linearizable];

const byName = new Map(checkers.map((checker) => [checker.name, checker]));

/** @throws Error for a name that the scenario reader has not checked. */
export function checkerNamed(name: string): Checker {
  const checker = byName.get(name);
  if (checker === undefined) throw new Error(`No checker is called ${name}`);
  return checker;
}
