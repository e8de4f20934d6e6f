import type {
  Entry,
  LogIndex,
  Membership,
  Message,
  NodeId,
  SnapshotMeta,
  Term,
} from './message.ts';

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** Must be on stable storage before anything that builds on it is said. */
export interface HardState {
  readonly term: Term;
  readonly vote: NodeId | undefined;
  readonly commit: LogIndex;
}

/**
 * A promise that becomes true when the storage write of one `Ready` is durable: given back to the
 * core with `storageAppended`. The term tells a stale one apart (async storage writes, ABA race).
 */
export interface StorageReceipt {
  readonly term: Term;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  readonly snapshotIndex: LogIndex | undefined;
}

/** A read that may be answered once the state machine has applied `index`. */
export interface ReadState {
  readonly context: number;
  readonly index: LogIndex;
}

/**
 * Work for the driver, as plain data. Several may be outstanding; their storage writes are made in
 * order, one in flight. Order within one: send `sendNow` and start the write at the same time;
 * when the write is durable, send `afterPersist` and give back `receipt`.
 */
export interface Ready {
  readonly soft: { readonly leader: NodeId | undefined; readonly role: Role } | undefined;
  readonly hard: HardState | undefined;
  /** Replaces everything from `entries[0].index` on. */
  readonly append: readonly Entry[];
  readonly snapshot: SnapshotMeta | undefined;
  readonly sendNow: readonly Message[];
  readonly afterPersist: readonly Message[];
  readonly receipt: StorageReceipt | undefined;
  /** Committed and durable here: hand to the state machine in order, then `applied(index)`. */
  readonly apply: readonly Entry[];
  readonly reads: readonly ReadState[];
  /** Reads that this node can no longer answer (leader lost): fail them, the caller asks again. */
  readonly failedReads: readonly number[];
  /** Term, vote or entries changed: the write must be synced. A commit-only change may ride along. */
  readonly mustSync: boolean;
}

/** What the core reads back of what was stored. Synchronous: recent entries are kept in memory. */
export interface LogReader {
  /** One below it is compacted; `termOf(firstIndex - 1)` is still answered. */
  firstIndex(): LogIndex;
  lastIndex(): LogIndex;
  /** `undefined` when compacted, or after the last. */
  termOf(index: LogIndex): Term | undefined;
  /**
   * Entries in `[from, to)`, at least one if any, then as many as fit into `bytesMax`.
   * `undefined` when `from` is no longer in memory or compacted: the peer needs a snapshot.
   */
  entries(from: LogIndex, to: LogIndex, bytesMax: number): readonly Entry[] | undefined;
  /** What a new snapshot would stand for, `undefined` while none can be made. */
  snapshotMeta(): SnapshotMeta | undefined;
}

export interface InitialState {
  readonly hard: HardState;
  readonly membership: Membership;
  readonly applied: LogIndex;
}
