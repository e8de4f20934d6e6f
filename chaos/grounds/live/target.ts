import type { LocalCluster } from '../../../src/cli/index.ts';
import type { Place, PlannedNode } from '../../scenario/scenario.ts';
import type { HookName } from './hook-kinds.ts';

/** A node of a running cluster, as its operator names it. */
export interface TargetNode extends PlannedNode {
  /** What the operator's commands reach it by; its name when none was given. */
  readonly host: string;
  /** What scenarios call it, beside its name: "voter-2". */
  readonly as: string | undefined;
}

/** A fault that the operator allows, within bounds. */
export interface Allowance {
  readonly place: Place;
  readonly fault: string;
  /** Absent: on any node. */
  readonly nodes: readonly string[] | undefined;
  readonly regions: readonly string[] | undefined;
  /** On so many nodes at one time. */
  readonly atOnce: number | undefined;
  readonly longestMs: number | undefined;
}

/** The operator's own commands for one kind of fault: argument lists, never read by a shell. */
export interface Hook {
  readonly inject: readonly string[];
  readonly heal: readonly string[];
  readonly timeoutMs: number;
}

/** A target file, read and found sound: a running cluster, and what may be done to it. */
export interface Target {
  readonly file: string;
  /** What has to be typed before a run. */
  readonly name: string;
  readonly clusterId: string;
  readonly addresses: readonly string[];
  readonly caFile: string | undefined;
  readonly insecurePlaintext: boolean;
  /** The token itself is read when it is used, and is never written down. */
  readonly tokenFile: string;
  readonly nodes: readonly TargetNode[];
  readonly allowed: readonly Allowance[];
  readonly mayHarmMajority: boolean;
  readonly hooks: ReadonlyMap<HookName, Hook>;
  /** A cluster of `strongroom up` on this machine, whose processes are sent signals. */
  readonly local: LocalCluster | undefined;
  /** A file that ends a run as soon as it is there, and keeps others from beginning. */
  readonly stopFile: string | undefined;
}
