import { auditComplete } from './audit-complete.ts';
import type { Checker } from './checker.ts';
import { exactlyOnce } from './exactly-once.ts';
import { faultsFelt } from './faults-felt.ts';
import { linearizable } from './linearizable.ts';
import { listAppend } from './list-append.ts';
import { restoredElsewhere } from './restored-elsewhere.ts';
import { sameState } from './same-state.ts';
import { sealSound } from './seal-sound.ts';
import { sessionGuarantees } from './session-guarantees.ts';
import { setElements } from './set-elements.ts';
import { tokenLifetimes } from './token-lifetimes.ts';
import { watchComplete } from './watch-complete.ts';

/** Every checker there is. `docs/chaos.md` says how to add one. */
export const checkers: readonly Checker[] = [
  linearizable,
  setElements,
  listAppend,
  sessionGuarantees,
  watchComplete,
  tokenLifetimes,
  exactlyOnce,
  auditComplete,
  sameState,
  faultsFelt,
  sealSound,
  restoredElsewhere,
];

const byName = new Map(checkers.map((checker) => [checker.name, checker]));

/** @throws Error for a name that the scenario reader has not checked. */
export function checkerNamed(name: string): Checker {
  const checker = byName.get(name);
  if (checker === undefined) throw new Error(`No checker is called ${name}`);
  return checker;
}
