import type { z } from 'zod';
import type { GroundName } from './scenario.ts';

/** What a reader of scenarios must know of a fault. */
export interface FaultWords {
  readonly name: string;
  readonly parameters: z.ZodType;
  /** `nodes`: it needs `on`; `maybe`: it may have one; `none`: it must not. */
  readonly targets: 'nodes' | 'maybe' | 'none';
  /** It stays until it is healed: then `for` makes sense. */
  readonly lasting: boolean;
}

export interface WorkloadWords {
  readonly name: string;
  readonly parameters: z.ZodType;
}

export interface CheckerWords {
  readonly name: string;
  /** Workloads whose histories it can judge; empty: it judges the cluster itself. */
  readonly judges: readonly string[];
}

/** The words that scenarios may use: handed in, so that the language knows no implementation. */
export interface Vocabulary {
  readonly faults: readonly FaultWords[];
  readonly workloads: readonly WorkloadWords[];
  readonly checkers: readonly CheckerWords[];
  /** Why `fault` with these parameters cannot be done on `ground`; undefined when it can. */
  readonly impossible: (
    fault: string,
    parameters: unknown,
    ground: GroundName,
  ) => string | undefined;
}
