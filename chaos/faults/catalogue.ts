import type { Fault } from './fault.ts';
import { transferLeadership } from './leadership.ts';
import { delay, loss, slowLinks } from './links.ts';
import { partition } from './partition.ts';
import { kill, pause } from './processes.ts';

/** Every fault there is. `docs/chaos.md` says how to add one. */
export const faults: readonly Fault[] = [
  kill,
  pause,
  partition,
  delay,
  loss,
  slowLinks,
  transferLeadership,
];

const byName = new Map(faults.map((fault) => [fault.name, fault]));

/** @throws Error for a name that the scenario reader has not checked. */
export function faultNamed(name: string): Fault {
  const fault = byName.get(name);
  if (fault === undefined) throw new Error(`No fault is called ${name}`);
  return fault;
}
