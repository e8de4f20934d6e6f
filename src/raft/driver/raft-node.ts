import type { Cancellation } from '../../lib/index.ts';
import type {
  Entry,
  LogIndex,
  Membership,
  MembershipChange,
  NodeId,
  Role,
  Term,
} from '../core/index.ts';

export interface Proposed {
  readonly index: LogIndex;
  readonly term: Term;
  /** What the state machine's `apply` returned for this entry. */
  readonly result: unknown;
}

export interface PeerStatus {
  readonly node: NodeId;
  readonly state: 'probe' | 'replicate' | 'snapshot';
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly recentlyActive: boolean;
}

export interface RaftStatus {
  readonly node: NodeId;
  readonly role: Role | 'recovering' | 'stopped';
  readonly term: Term;
  readonly leader: NodeId | undefined;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly membership: Membership;
  /** Filled on the leader only. */
  readonly peers: readonly PeerStatus[];
  /**
   * On the leader only: a majority of the voters knows for good that they are the voters, and a node
   * that was demoted may be stopped or removed.
   */
  readonly settled: boolean;
}

/** One member of one Raft group, running. */
export interface RaftNode extends AsyncDisposable {
  status(): RaftStatus;

  /** The term that this node leads in, if it does: what `status` says, for who asks all the time. */
  readonly leadingTerm: Term | undefined;

  /**
   * Replicates `data` and resolves when it was applied here.
   * @throws StrongroomError `raft.not-leader` (details.leader), `raft.overloaded`,
   *   `raft.proposal-too-large`: certainly not committed. `raft.outcome-unknown`: leadership was
   *   lost meanwhile, it may be committed or not.
   */
  propose(data: Uint8Array, options?: { readonly signal?: Cancellation }): Promise<Proposed>;

  /**
   * The index that a linearizable read must see applied; a quorum confirmed the leader after the
   * call. Works on any voter or learner: followers ask the leader. Calls share rounds.
   * @throws StrongroomError `raft.no-leader`
   */
  readIndex(options?: { readonly signal?: Cancellation }): Promise<LogIndex>;

  /**
   * Makes one change of one node. Resolves when it took effect here and, if it took a vote away,
   * when a majority of the voters that are left knows that it did. A voter is demoted before it is
   * removed.
   * @throws StrongroomError `raft.membership-refused`, `raft.not-leader`, `raft.outcome-unknown`
   */
  changeMembership(change: MembershipChange): Promise<void>;

  /** Hands leadership to `target` (or the best follower). @throws `raft.transfer-failed` */
  transferLeadership(target?: NodeId): Promise<void>;

  /**
   * While it is, others get a head start in elections: this node could lead, but would serve badly.
   * It still votes, and is elected when nobody else asks.
   */
  setReluctant(isReluctant: boolean): void;

  /**
   * Committed entries from `from` on as they are committed, for read replicas.
   * @throws StrongroomError `store.compacted` when `from` is no longer in the log.
   */
  committedEntries(from: LogIndex, signal: Cancellation): AsyncIterable<readonly Entry[]>;

  /** Calls back after each change of role, term, leader, membership or `settled`. @returns unsubscribe */
  onStatusChange(listener: (status: RaftStatus) => void): () => void;

  /** Resolves once when the node ends by itself: disk failure, removal, broken invariant. */
  readonly stopped: Promise<{ readonly because: unknown }>;

  /** Hands leadership over if it has it, then closes everything. */
  stop(): Promise<void>;
}
