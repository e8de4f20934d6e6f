import type { z } from 'zod';
import type { Random } from '../../src/lib/index.ts';
import type { Cluster } from '../grounds/ground.ts';
import type { History } from '../history/history.ts';

/** What one use of a workload works with. */
export interface Work<Parameters = unknown> {
  readonly cluster: Cluster;
  readonly parameters: Parameters;
  /** Of its own in the run: the prefix of the paths that it writes. */
  readonly label: string;
  readonly history: History;
  readonly random: Random;
  /** Ends when the clients should start nothing new; what is in flight is still recorded. */
  readonly signal: AbortSignal;
}

/** A kind of use of the vault, as the catalogue declares it, once. */
export interface Workload<Parameters = unknown> {
  readonly name: string;
  /** One line, for `chaos list`. */
  readonly summary: string;
  readonly parameters: z.ZodType<Parameters>;
  /** Mounts and policies that it needs, before the steady state is looked at. */
  readonly prepare?: (work: Work<Parameters>) => Promise<void>;
  /** Runs its clients until the signal; resolves when the last one has ended. */
  readonly run: (work: Work<Parameters>) => Promise<void>;
  /** Final reads of everything, once all faults are healed; recorded like any other. */
  readonly conclude?: (work: Work<Parameters>) => Promise<void>;
}

/** Keeps a workload's parameters typed where it is declared. */
export function defineWorkload<Parameters>(workload: Workload<Parameters>): Workload {
  const typed = (work: Work) => work as Work<Parameters>;
  const { prepare, conclude } = workload;
  return {
    ...workload,
    ...(prepare === undefined ? {} : { prepare: (work) => prepare(typed(work)) }),
    run: (work) => workload.run(typed(work)),
    ...(conclude === undefined ? {} : { conclude: (work) => conclude(typed(work)) }),
  } as Workload;
}
