import type { Assertion } from './assertion.ts';
import type { Selector } from './selector.ts';

export const groundNames = ['simulation', 'processes', 'containers', 'live'] as const;
export type GroundName = (typeof groundNames)[number];

export const sealKinds = ['dev', 'pkcs11', 'shamir'] as const;

/** What the network between two regions is like, faults apart. */
export interface RegionLink {
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly lossRatio: number;
}

/** One node that the cluster is to have. Voters are voter-1, voter-2; replicas west-1, west-2. */
export interface PlannedNode {
  readonly name: string;
  readonly kind: 'voter' | 'replica';
  readonly region: string;
}

export interface ClusterShape {
  readonly nodes: readonly PlannedNode[];
  readonly seal: (typeof sealKinds)[number];
  /** Between any two regions. */
  readonly betweenRegions: RegionLink | undefined;
}

/** Where something stands in the file, for messages about it. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface WorkloadUse {
  readonly workload: string;
  /** Of its own in this scenario: two uses of one workload need two. */
  readonly label: string;
  readonly parameters: unknown;
}

export interface TimelineStep {
  readonly place: Place;
  readonly fault: string;
  readonly on: Selector | undefined;
  readonly parameters: unknown;
  /** When it comes first, from the end of the steady-state check on. */
  readonly atMs: number;
  /** Again this often, until `untilMs`. */
  readonly everyMs: number | undefined;
  readonly untilMs: number;
  /** Healed after this long; undefined: it is over at once, or at the end of the timeline. */
  readonly forMs: number | undefined;
  /** What its chance is drawn from; undefined: the run's seed and its place in the timeline. */
  readonly draw: number | undefined;
}

/** A scenario file, read and found sound. */
export interface Scenario {
  readonly file: string;
  /** As it was written, so that a record can be replayed. */
  readonly text: string;
  readonly name: string;
  readonly title: string;
  readonly purpose: string;
  readonly cluster: ClusterShape;
  readonly grounds: readonly GroundName[];
  /** How long the steady state is watched before the first fault. */
  readonly steadyMs: number;
  /** Length of the timeline. */
  readonly durationMs: number;
  /** After everything is healed, before the workloads end. */
  readonly settleMs: number;
  readonly workloads: readonly WorkloadUse[];
  readonly timeline: readonly TimelineStep[];
  readonly steadyState: readonly Assertion[];
  readonly objectives: readonly Assertion[];
  readonly aborts: readonly Assertion[];
  readonly checks: readonly string[];
}
