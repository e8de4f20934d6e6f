import type { Random } from '../../src/lib/index.ts';

/**
 * What a ground lets faults do, one lever for each kind of thing. Each method is idempotent, and
 * writes down how it is undone before it acts (see `HealPlan`).
 */
export interface Levers {
  readonly process?: ProcessLever;
  readonly network?: NetworkLever;
  readonly clock?: ClockLever;
  readonly disk?: DiskLever;
  readonly hsm?: HsmLever;
  readonly audit?: AuditLever;
  readonly membership?: MembershipLever;
}

export interface ProcessLever {
  /** SIGKILL, or its like. Resolves when the node is gone. */
  kill(node: string): Promise<void>;
  /** Starts a node that was ended, on the data it has; resolves when it listens. */
  start(node: string): Promise<void>;
  /** With `process.power` only. It is gone, and with it what its disk was not told to keep. */
  cutPower?(node: string): Promise<void>;
  /** SIGSTOP, or its like. */
  pause(node: string): Promise<void>;
  resume(node: string): Promise<void>;
  /** Asks it to end (SIGTERM, or its like) and waits until it has. With `process.stop` only. */
  stop?(node: string): Promise<void>;
  /** What the node's next start runs. With `process.build` only. */
  useBuild?(node: string, build: 'own' | 'other'): Promise<void>;
}

/** What happens to bytes on their way over one direction of a link. */
export interface LinkShape {
  /** `drop`: nothing arrives and nobody is told. `refuse`: connections are reset. */
  readonly blocked?: 'drop' | 'refuse';
  readonly delayMs?: number;
  /** Uniform, either way. */
  readonly jitterMs?: number;
  readonly lossRatio?: number;
  readonly duplicateRatio?: number;
  readonly reorderRatio?: number;
  readonly corruptRatio?: number;
  readonly bytesPerSecond?: number;
}

export interface LinkChange {
  readonly from: string;
  readonly to: string;
  readonly shape: LinkShape;
}

/**
 * Links between nodes, each direction by itself. Faults lay layers over them; what a link does is
 * all its layers together, so that lifting one leaves the others as they are.
 */
export interface NetworkLever {
  /** Lays a layer, or replaces the layer of that name. */
  lay(layer: string, changes: readonly LinkChange[]): Promise<void>;
  /** Lifts a layer; one that is not there is no error. */
  lift(layer: string): Promise<void>;
}

/** What a node's clock shows beside the truth. */
export interface ClockChange {
  /** Added to the wall clock. */
  readonly offsetMs?: number;
  /** Both clocks run faster by this share: 0.1 is eleven seconds for ten; -0.5 half as fast. */
  readonly drift?: number;
}

/** Layers like the network's: changes of several faults add up. */
export interface ClockLever {
  lay(layer: string, nodes: readonly string[], change: ClockChange): Promise<void>;
  /** The wall clock is right again; the monotonic one keeps what it gained, and runs true. */
  lift(layer: string): Promise<void>;
}

/** What fsync does. */
export interface SyncChange {
  readonly fails?: boolean;
  readonly delayMs?: number;
}

/** Which files of a node: its part of the Raft log, or the state that was applied. */
export type DataPart = 'log' | 'state';

export interface DiskLever {
  /** With `disk.full`: leaves that much space; the least of all layers counts. */
  limit(layer: string, nodes: readonly string[], freeBytes: number): Promise<void>;
  unlimit(layer: string): Promise<void>;
  /** With `disk.sync`. */
  laySync(layer: string, nodes: readonly string[], change: SyncChange): Promise<void>;
  liftSync(layer: string): Promise<void>;
  /** With `disk.bytes`, as all below, and of a node that is stopped. Keeps what the disk holds. */
  keep(node: string, copy: string): Promise<void>;
  /** Makes the disk what it was; a copy that is not there changes nothing. */
  putBack(node: string, copy: string): Promise<void>;
  forget(node: string, copy: string): Promise<void>;
  /** Flips bits in the newest file of a part, anywhere in what it holds. */
  flipBits(node: string, part: DataPart, bits: number, random: Random): Promise<void>;
  /** Takes the last bytes of the newest file of a part. */
  cutTail(node: string, part: DataPart, bytes: number): Promise<void>;
  /** Gives it an empty disk and lets it join again, under its name, in place of what it was. */
  replace(node: string): Promise<void>;
}

/** The way of each node to its HSM. */
export interface HsmLinkChange {
  readonly blocked?: 'drop' | 'refuse';
  readonly delayMs?: number;
}

export interface HsmLever {
  lay(layer: string, nodes: readonly string[], change: HsmLinkChange): Promise<void>;
  lift(layer: string): Promise<void>;
  /**
   * With `hsm.token`, as all below. Open sessions are gone; new ones may be opened.
   * @returns how many connections carried them.
   */
  endSessions(nodes: readonly string[]): Promise<number>;
  removeToken(): Promise<void>;
  returnToken(): Promise<void>;
  /** A PIN that is refused, and sessions end so that it is asked for. */
  wrongPin(node: string): Promise<void>;
  rightPin(node: string): Promise<void>;
}

/** What writing to a node's audit log does. */
export interface AuditChange {
  /** It fails for want of space, or does not return until it is lifted. */
  readonly writes: 'full' | 'hanging';
}

export interface AuditLever {
  lay(layer: string, nodes: readonly string[], change: AuditChange): Promise<void>;
  lift(layer: string): Promise<void>;
}

export interface MembershipLever {
  /** Starts a new member and waits until it serves. @returns its name */
  add(kind: 'voter' | 'replica', region: string): Promise<string>;
  /** Removes it from the cluster and ends it; one that is not there is no error. */
  remove(name: string): Promise<void>;
}
