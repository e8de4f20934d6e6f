import type { Judgement } from '../checkers/checker.ts';
import type { Observation } from '../grounds/observation.ts';
import type { Assertion } from '../scenario/assertion.ts';
import type { ClusterShape, GroundName } from '../scenario/scenario.ts';

/** Raised when a reader of older records would misread a newer one. */
export const RECORD_VERSION = 1;

/**
 * `run.json`: everything about a run but the operations themselves, which lie beside it in
 * `histories/LABEL.ndjson`. The report, replay and the shrinker read this. All times are
 * milliseconds since the run began, on the cluster's clock. `docs/chaos.md` explains each field.
 */
export interface RunRecord {
  readonly version: typeof RECORD_VERSION;
  readonly scenario: {
    readonly name: string;
    readonly title: string;
    readonly purpose: string;
    readonly file: string;
    /** The file as it was, for replay. */
    readonly text: string;
  };
  readonly ground: GroundName;
  /** The running cluster that it was done to; absent: one that was made for the run. */
  readonly target?: { readonly name: string; readonly cluster: string };
  readonly seed: number;
  /** Of the program that ran: its version and Node's. */
  readonly program: { readonly version: string; readonly node: string };
  readonly cluster: ClusterShape;
  /** ISO 8601, by the wall clock: for people. */
  readonly startedAt: string;
  readonly phases: readonly PhaseRecord[];
  readonly faults: readonly FaultRecord[];
  readonly samples: readonly Sample[];
  readonly workloads: readonly WorkloadRecord[];
  readonly steadyState: readonly AssertionRecord[];
  readonly objectives: readonly AssertionRecord[];
  /** The abort condition that ended the run early. */
  readonly aborted: AssertionRecord | undefined;
  readonly checks: readonly CheckRecord[];
  readonly verdict: Verdict;
}

export const phases = ['start', 'steady', 'timeline', 'settle', 'check'] as const;
export type Phase = (typeof phases)[number];

export interface PhaseRecord {
  readonly phase: Phase;
  readonly from: number;
  readonly to: number;
}

/** One doing of one fault: a band in the timeline. */
export interface FaultRecord {
  readonly id: string;
  readonly fault: string;
  readonly parameters: unknown;
  readonly nodes: readonly string[];
  /** Who led when its nodes were chosen. */
  readonly leader?: string;
  /** When it was begun; what it disturbs is counted from here. */
  readonly injectedAt: number;
  /** When it was in effect. */
  readonly effectiveAt: number;
  /** When its undoing was begun, and done; absent for a fault that is over at once. */
  readonly healedAt?: number;
  readonly healthyAt?: number;
  /** Until every client writes again; null: some client never did. */
  readonly recovery?: { readonly injection: number | null; readonly heal?: number | null };
  /**
   * Whether a node said that it felt it. False: it may have missed, and proves nothing. Absent: such
   * a fault leaves no trace in logs, or the ground shows none.
   */
  readonly felt?: boolean;
  /** Why it could not be done or undone: the run has failed then. */
  readonly error?: string;
}

/** The cluster and its clients at one moment; rates and latencies since the sample before. */
export interface Sample {
  readonly at: number;
  readonly observation: Observation;
  readonly writes: OperationStats;
  readonly reads: OperationStats;
}

export interface OperationStats {
  readonly ok: number;
  readonly failed: number;
  readonly perSecond: number;
  /** In milliseconds; absent when nothing was answered. */
  readonly latency?: { readonly median: number; readonly p99: number; readonly max: number };
}

export interface WorkloadRecord {
  readonly workload: string;
  readonly label: string;
  readonly parameters: unknown;
  /** Relative to the run's folder. */
  readonly history: string;
  readonly ok: number;
  readonly maybe: number;
  readonly no: number;
  /** How often each failure came. */
  readonly errors: Readonly<Record<string, number>>;
}

export interface AssertionRecord {
  readonly text: string;
  readonly measure: Assertion['measure'];
  /** What was measured; null: there was nothing to measure, which fails. */
  readonly value: number | null;
  readonly holds: boolean;
}

export type CheckRecord = { readonly name: string; readonly summary: string } & Judgement;

export type Verdict =
  /** `notChecked`: what could not be looked at on this ground, each a sentence. */
  | { readonly kind: 'passed'; readonly notChecked?: readonly string[] }
  /** In words, each a sentence. */
  | { readonly kind: 'failed'; readonly because: readonly string[] }
  /** Stopped by hand: it says nothing of the cluster. */
  | { readonly kind: 'interrupted' };
