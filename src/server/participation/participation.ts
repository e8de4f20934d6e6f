import type { Cancellation } from '../../lib/index.ts';
import type { RaftNode, SelfIdentity } from '../../raft/index.ts';
import type { Transaction, TransactionResult } from '../../store/index.ts';
import type { Consistency } from '../../vault/index.ts';

/** Where a node stands, for reports and metrics. */
export interface Position {
  /** "leader", "follower", "pre-candidate", "candidate", "learner", "recovering", "replica". */
  readonly role: string;
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  readonly lagMs: number;
  readonly healthy: boolean;
  /** Why it is not healthy; empty when it is. */
  readonly reason: string;
}

/**
 * How a node takes part in its cluster: a voter (or learner) through Raft, a read replica through
 * the feed. What stands above need not know which.
 */
export interface Participation extends AsyncDisposable {
  /** Who this process is to other nodes. */
  readonly self: SelfIdentity;
  /** Undefined on a read replica. */
  readonly raft: RaftNode | undefined;
  /** Leads, and knows everything that was acknowledged before it did. */
  isLeader(): boolean;
  /** 0 while none is known. */
  leader(): number;
  /**
   * The node to which a request goes that only the leader can answer; this node itself when it is a
   * ready leader. @throws StrongroomError `raft.no-leader`
   */
  whenLeaderKnown(signal: Cancellation): Promise<number>;
  /** @throws StrongroomError `raft.not-leader`, `raft.outcome-unknown` */
  commit(transaction: Transaction, signal: Cancellation): Promise<TransactionResult>;
  /** Makes the local state as fresh as asked for. */
  freshen(consistency: Consistency, signal: Cancellation): Promise<void>;
  /** An index that was committed after the call, confirmed by a quorum. */
  readIndex(signal: Cancellation): Promise<number>;
  position(): Position;
  /** Calls back when this node becomes a ready leader, and when it is one no more. */
  onLeading(listener: (leads: boolean) => void): () => void;
  /** Resolves when it ended by itself: disk failure, removal, divergence, broken invariant. */
  readonly stopped: Promise<{ readonly because: unknown }>;
}
