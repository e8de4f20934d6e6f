import type { Cluster } from '../grounds/ground.ts';
import type { Observation } from '../grounds/observation.ts';
import type { Entry } from '../history/history.ts';

/** The history of one use of a workload. */
export interface JudgedHistory {
  readonly workload: string;
  readonly label: string;
  readonly parameters: unknown;
  readonly entries: readonly Entry[];
}

/** A fault that was done, as far as checkers ask. */
export interface DoneFault {
  readonly id: string;
  readonly nodes: readonly string[];
  /** Absent: nothing can be said of it. */
  readonly felt?: boolean;
}

/** What a checker judges: everything recorded, and the healed cluster, still running. */
export interface Evidence {
  /** Only those of the workloads that the checker judges. */
  readonly histories: readonly JudgedHistory[];
  readonly cluster: Cluster;
  /** Every doing of a fault, in the order of their times. */
  readonly faults: readonly DoneFault[];
  /** After the last heal and the settling. */
  readonly final: Observation;
  readonly signal: AbortSignal;
}

export type Judgement =
  | {
      readonly kind: 'ok';
      /** What was proved, with figures: "1,204 operations on 3 keys". */
      readonly about: string;
    }
  | {
      readonly kind: 'violation';
      /** One sentence for people. */
      readonly because: string;
      /** The fewest operations that show it. */
      readonly history: readonly Entry[];
      /** Which of them, by its place in `history`, has the answer that no order explains. */
      readonly impossible?: number;
    }
  /** Out of its budget, or without anything to judge: a failure, since nothing was proved. */
  | { readonly kind: 'undecided'; readonly because: string }
  /** This cluster gives no way to what would have to be looked at: told with the verdict. */
  | { readonly kind: 'not-checked'; readonly because: string };

/** A property of a run, as the catalogue declares it, once. */
export interface Checker {
  readonly name: string;
  /** One line, for `chaos list`: what holds when it passes. */
  readonly summary: string;
  /** The workloads whose histories it judges; empty: it looks at the cluster itself. */
  readonly judges: readonly string[];
  readonly check: (evidence: Evidence) => Promise<Judgement>;
}
