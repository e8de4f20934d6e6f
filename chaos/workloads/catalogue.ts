import { list } from './list.ts';
import { once } from './once.ts';
import { register } from './register.ts';
import { session } from './session.ts';
import { set } from './set.ts';
import { tokens } from './tokens.ts';
import { watch } from './watch.ts';
import type { Workload } from './workload.ts';

/** Every workload there is. `docs/chaos.md` says how to add one. */
export const workloads: readonly Workload[] = [register, set, list, session, watch, tokens, once];

const byName = new Map(workloads.map((workload) => [workload.name, workload]));

/** @throws Error for a name that the scenario reader has not checked. */
export function workloadNamed(name: string): Workload {
  const workload = byName.get(name);
  if (workload === undefined) throw new Error(`No workload is called ${name}`);
  return workload;
}
