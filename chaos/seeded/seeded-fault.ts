import type { GroundName } from '../scenario/scenario.ts';

/** One change of one file of the product. */
export interface Patch {
  /** Under `src/`, without its ending. */
  readonly file: string;
  /** Must occur exactly once in the file. */
  readonly search: string;
  readonly replacement: string;
}

/** A run that must catch a seeded fault. */
export interface Trial {
  /** A file of `scenarios/`. */
  readonly scenario: string;
  readonly ground: Extract<GroundName, 'simulation' | 'processes'>;
  /** Whose violation counts: a check of the scenario, or what the simulation watches itself. */
  readonly by: readonly string[];
}

/** What the simulation holds against all that its nodes do: one leader a term, votes kept, and so on. */
export const PROMISES = 'promises of Raft';

/** A fault of the product, put into a copy of its sources: the product itself has no switch for it. */
export interface SeededFault {
  /** Lower case with dashes: what `--only` names. */
  readonly name: string;
  /** What a user would suffer from it. */
  readonly what: string;
  readonly patches: readonly Patch[];
  readonly trials: readonly Trial[];
}
