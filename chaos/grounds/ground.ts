import type { StrongroomClient } from '../../src/client/index.ts';
import type { Clock } from '../../src/lib/index.ts';
import type { HealPlan } from '../heal/heal-plan.ts';
import type { ClusterShape, GroundName, PlannedNode } from '../scenario/scenario.ts';
import type { Capability } from './capabilities.ts';
import type { Levers } from './levers.ts';
import type { Observation } from './observation.ts';

/** What workloads and faults use of the product's client: the simulation has one of its own. */
export type VaultClient = Pick<StrongroomClient, 'call' | 'watch' | 'close'> &
  /** With `cluster.snapshot`. */
  Partial<Pick<StrongroomClient, 'saveSnapshot'>>;

export interface ClientWishes {
  /** This node is asked first. */
  readonly prefer?: string;
  /** Reads that may be stale go to a replica of this region. */
  readonly region?: string;
  /** Absent: a token that may do everything the workloads do. */
  readonly token?: string;
}

/** A running cluster, on whatever ground. */
export interface Cluster extends AsyncDisposable {
  readonly nodes: readonly PlannedNode[];
  /** All waiting of a run goes by this clock: simulated on the simulation's ground. */
  readonly clock: Clock;
  readonly levers: Levers;
  /** A client, closed with the cluster. */
  client(wishes?: ClientWishes): Promise<VaultClient>;
  /** Asks every node, with a bound of time; a node that does not answer is down, never an error. */
  observe(): Promise<Observation>;
  /**
   * The files of a node's audit log, oldest first, to be read on this machine. Absent: this ground
   * cannot reach them; undefined: this cluster's operator gives no way to them, which is told.
   */
  auditFiles?(node: string): Promise<readonly string[] | undefined>;
  /**
   * What a node has said in its log since a mark, which is a length told before. Absent: this ground
   * shows no logs.
   */
  saidSince?(
    node: string,
    mark: number,
  ): Promise<{ readonly text: string; readonly length: number }>;
  /** Members that came beside the plan, also those that went: they too answered clients. */
  visitors?(): readonly string[];
  /**
   * For what faults do through the API to a cluster that outlives the run: how it is undone by
   * `strongroom` is on disk before it is done. Absent: the cluster goes with the run.
   */
  readonly aftermath?: Aftermath;
  /** Another cluster of this shape, on other disks, which can reach the same HSM. */
  elsewhere?(): Promise<Elsewhere>;
  /** Lifts, resumes and starts all that faults have left. Safe at any time, and again. */
  heal(): Promise<void>;
  /** Why the ground itself knows that the cluster broke a promise, if it watches that. */
  broken?(): string | undefined;
  /** Copies what explains a failure (logs) into `folder`. Never secrets. */
  collect(folder: string): Promise<void>;
}

export interface Aftermath {
  /** `unless`: the code of a failure that says that there is nothing to undo. */
  plan(
    id: string,
    what: string,
    command: { readonly args: readonly string[]; readonly unless?: string },
  ): void;
  done(id: string): void;
}

/** A cluster beside that of the run, with nothing in it. */
export interface Elsewhere extends AsyncDisposable {
  /** Restores a snapshot of the first cluster. @returns a client with the first cluster's token. */
  restore(snapshot: AsyncIterable<Uint8Array>): Promise<VaultClient>;
}

export interface StartOptions {
  /** Where undo steps are written before anything is done. */
  readonly healPlan: HealPlan;
  readonly seed: number;
  /** What the scenario's faults will ask for, so that no more is prepared. */
  readonly needs: ReadonlySet<Capability>;
  readonly signal: AbortSignal;
  /** Told what takes long enough that someone would wonder. */
  readonly say?: (line: string) => void;
}

/** Somewhere a scenario can run. */
export interface Ground {
  readonly name: GroundName;
  readonly capabilities: ReadonlySet<Capability>;
  /** The workloads that can run there; absent: all. */
  readonly workloads?: ReadonlySet<string>;
  /**
   * Why a cluster of that shape, with faults of those needs, cannot be had on this machine, in words
   * for an operator; undefined when it can. Asked before the scenario begins.
   */
  unavailable(shape: ClusterShape, needs: ReadonlySet<Capability>): Promise<string | undefined>;
  /** @throws StrongroomError `cluster.start-failed` when the cluster does not come up. */
  start(shape: ClusterShape, options: StartOptions): Promise<Cluster>;
}
