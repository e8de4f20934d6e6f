import type { Branded } from '../../lib/index.ts';

/** Given by the cluster, counted up from 1, never reused (a tombstone outlives a removed node). */
export type NodeId = Branded<number, 'NodeId'>;
export type Term = Branded<number, 'Term'>;
/** Position in the log, counted from 1; 0 is before the first entry. */
export type LogIndex = Branded<number, 'LogIndex'>;

/**
 * `command` carries opaque bytes; `membership` changes one node; `empty` opens a leader's term or
 * seals a change (see `sealChange`), and the one at index 1 names the founders.
 */
export type EntryKind = 'command' | 'empty' | 'membership';

export interface Entry {
  readonly term: Term;
  readonly index: LogIndex;
  readonly kind: EntryKind;
  readonly data: Uint8Array;
}

/** Who counts. Sorted ascending, so that iteration is the same everywhere. */
export interface Membership {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Ids that were removed for good. A message from one is answered with `removed`. */
  readonly removed: readonly NodeId[];
}

/** One change of one node (Raft thesis 4.1), effective when it is applied. */
export type MembershipChange =
  | { readonly kind: 'add-learner'; readonly node: NodeId; readonly context: Uint8Array }
  | { readonly kind: 'promote'; readonly node: NodeId }
  | { readonly kind: 'demote'; readonly node: NodeId }
  | { readonly kind: 'remove'; readonly node: NodeId };

/** What a snapshot stands for: the state after applying `index`, whose entry had `term`. */
export interface SnapshotMeta {
  readonly index: LogIndex;
  readonly term: Term;
  readonly membership: Membership;
}

interface Addressed {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

/** An entry that is committed for certain, and with it all before it: see `learnCommit`. */
export interface CommitPoint {
  readonly commit: LogIndex;
  readonly commitTerm: Term;
}

/**
 * What nodes say to one another. The driver adds cluster id, group id and incarnation; the core
 * sees only messages that passed that check.
 */
export type Message =
  | (Addressed & {
      readonly kind: 'append';
      readonly prevIndex: LogIndex;
      readonly prevTerm: Term;
      readonly entries: readonly Entry[];
      /** Never past the last entry that this message carries or builds on. */
      readonly commit: LogIndex;
    })
  | (Addressed & {
      readonly kind: 'append-response';
      /** Accepted: last index now matching. Rejected: the `prevIndex` that did not match. */
      readonly index: LogIndex;
      readonly reject: boolean;
      readonly hintIndex: LogIndex;
      readonly hintTerm: Term;
    })
  | (Addressed & {
      readonly kind: 'heartbeat';
      readonly commit: LogIndex;
      /** The leader's read-round counter (never a caller's id: etcd #20418), 0 for none. */
      readonly context: number;
    })
  | (Addressed & {
      readonly kind: 'heartbeat-response';
      readonly context: number;
      /** Its sender is being caught up and gives no votes: it must not become a voter yet. */
      readonly recovering?: true;
      /** For how long its sender gives no vote to anyone else, by its own clock: see `VoteSilence`. */
      readonly promiseMs?: number;
    })
  | (Addressed &
      CommitPoint & {
        readonly kind: 'pre-vote' | 'vote';
        readonly lastIndex: LogIndex;
        readonly lastTerm: Term;
        /** A leadership transfer: voters answer although they hear from a leader. */
        readonly transfer: boolean;
      })
  | (Addressed &
      CommitPoint & {
        readonly kind: 'pre-vote-response' | 'vote-response';
        readonly reject: boolean;
      })
  | (Addressed & { readonly kind: 'snapshot'; readonly meta: SnapshotMeta })
  | (Addressed & { readonly kind: 'timeout-now' })
  | (Addressed & { readonly kind: 'transfer-leader'; readonly target: NodeId })
  | (Addressed & { readonly kind: 'read-index'; readonly context: number })
  | (Addressed & {
      readonly kind: 'read-index-response';
      readonly context: number;
      readonly index: LogIndex;
    })
  | (Addressed & { readonly kind: 'removed' });

export type MessageKind = Message['kind'];
