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
 * Goes with one `Ready`'s storage write, and comes back through `storageAppended` when that write
 * is durable. It names the last entry of the whole log at that time, and the term in which it was
 * made: one from an earlier term says nothing about the present log (async storage writes, ABA race).
 */
export interface StorageReceipt {
  readonly term: Term;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  readonly snapshotIndex: LogIndex | undefined;
  /** The commit index that is durable with it; `undefined` when the write need not be synced. */
  readonly commit: LogIndex | undefined;
}

/** A read that may be answered once the state machine has applied `index`. */
export interface ReadState {
  readonly context: number;
  readonly index: LogIndex;
}

/**
 * Work for the driver, as plain data. What the driver owes the core:
 *
 * - On taking a `Ready`, in the same turn: put `snapshot` and then `append` into what its
 *   `LogReader` answers from. Until the receipt is back the core answers from its own copy of them,
 *   so nothing reads the reader above the durable part of the log.
 * - Send `sendNow` at once; begin the write of `hard`, `snapshot` and `append`. Writes are made in
 *   the order of their `Ready`s, one in flight, each atomic; several `Ready`s may share one.
 * - When this write and all before it are durable: send `afterPersist`, then call
 *   `storageAppended(receipt)`. A `Ready` with `afterPersist` and nothing to write still waits for
 *   the writes before it: what it says rests on them.
 * - `snapshot`: the write includes installing the state that it stands for. A `snapshot` message is
 *   stepped only once all of it was received and verified; `sendNow` with one means: transfer the
 *   state to that peer, then call `reportSnapshot`, whatever the end.
 * - `apply`: in order, each batch then `applied(last index)`. It may follow in a later turn.
 *
 * Several may be outstanding.
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
  /** Committed and durable here, a membership change also as committed: hand to the state machine in order, then `applied(index)`. */
  readonly apply: readonly Entry[];
  readonly reads: readonly ReadState[];
  /** Reads that this node can no longer answer (leader lost): fail them, the caller asks again. */
  readonly failedReads: readonly number[];
  /**
   * The write must be synced: term, vote or entries changed, or a membership change waits for the
   * commit index. Any other change of the commit index alone may ride along with a later write.
   */
  readonly mustSync: boolean;
}

/**
 * What the core reads back of what was stored. Synchronous: recent entries are kept in memory, and
 * always those that are not applied. Read only below the unstable tail that the core itself holds.
 */
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
  /** So long this node must give no vote: a former process of it may have promised that. */
  readonly silentTicks?: number;
}
