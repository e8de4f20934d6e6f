import { invariant } from '../../lib/index.ts';
import { ApplyQueue } from './apply-queue.ts';
import { DurableCommit } from './durable-commit.ts';
import { Inflights } from './inflights.ts';
import { LeaderLease, VoteSilence } from './lease.ts';
import { LogView } from './log-view.ts';
import { members } from './membership.ts';
import type { LogIndex, Membership, Message, NodeId, Term } from './message.ts';
import {
  APPLY_BATCHES_OUTSTANDING,
  checkOptions,
  INFLIGHT_APPENDS_FULL,
  type RaftCoreOptions,
} from './options.ts';
import { Progress } from './progress.ts';
import { ForwardedReads, ReadRounds } from './read-index.ts';
import type { HardState, ReadState, Role, StorageReceipt } from './ready.ts';
import { StorageWatch } from './storage-watch.ts';
import { type TraceEvent, type TraceName, traceEvent, traceMessage, traceNameOf } from './trace.ts';
import { UncommittedBytes } from './uncommitted.ts';

/** Room for 2^52 questions above a random start below 2^52: all safe integers. */
const READ_NUMBERS = 2 ** 21;

/**
 * All that one node's consensus knows. The files beside this one are its verbs: `roles.ts` changes
 * the role, `election.ts` campaigns and votes, `leader.ts` and `follower.ts` answer messages.
 */
export class CoreState {
  readonly options: RaftCoreOptions;
  readonly id: NodeId;
  readonly log: LogView;
  readonly apply: ApplyQueue;
  readonly uncommitted: UncommittedBytes;
  readonly rounds = new ReadRounds();
  readonly lease: LeaderLease;
  readonly silence: VoteSilence;
  readonly forwarded: ForwardedReads;
  readonly storage: StorageWatch;
  readonly durableCommit: DurableCommit;

  term: Term;
  vote: NodeId | undefined;
  commit: LogIndex;
  role: Role = 'follower';
  leader: NodeId | undefined;
  membership: Membership;
  /** This node was removed for good: it takes no part any more. */
  removed: boolean;
  /**
   * A leader knows entries that this node acknowledged and no longer has: its disk was rolled back
   * or replaced. It must not vote, or an acknowledged entry could be lost (etcd #20269).
   */
  logLost = false;

  electionElapsed = 0;
  heartbeatElapsed = 0;
  electionTimeout: number;
  /** This node could lead, but would serve badly. It grants votes as ever. */
  isReluctant = false;
  votes = new Map<NodeId, boolean>();
  /** Peers in ascending order, never this node itself. Kept on every role, used by the leader. */
  progress = new Map<NodeId, Progress>();
  /** What this leader has durably in its own log, of its own term. */
  selfMatch = 0 as LogIndex;
  transferee: NodeId | undefined;
  timeoutNowSent = false;
  /**
   * No membership change may be proposed before everything up to here is applied: the entry that
   * opened this leader's term, its last change, or that change's seal.
   */
  pendingChangeIndex = 0 as LogIndex;
  /** Something may have to be sent to peers: looked at once a `Ready`, so that work batches. */
  replicationDue = false;
  /** The self-addressed append acknowledgements of this term that await durability (for traces). */
  selfAcksDue: LogIndex[] = [];

  sendNow: Message[] = [];
  afterPersist: Message[] = [];
  reads: ReadState[] = [];
  failedReads: number[] = [];

  #leaderSeen: { readonly term: Term; readonly node: NodeId } | undefined;

  constructor(options: RaftCoreOptions) {
    checkOptions(options);
    const { initial } = options;
    this.options = options;
    this.id = options.id;
    this.log = new LogView(options.log);
    this.apply = new ApplyQueue(
      initial.applied,
      options.appendBytesMax * APPLY_BATCHES_OUTSTANDING,
    );
    this.uncommitted = new UncommittedBytes(options.uncommittedBytesMax);
    const { random } = options;
    this.forwarded = new ForwardedReads(1 + random.below(2 ** 31) * READ_NUMBERS);
    this.storage = new StorageWatch(options.electionTicks);
    this.lease = new LeaderLease(options.lease);
    this.silence = new VoteSilence(
      options.lease === undefined ? 0 : options.electionTicks,
      initial.silentTicks ?? 0,
    );
    this.term = initial.hard.term;
    this.vote = initial.hard.vote;
    // A commit-only change may have missed the disk while the state machine's own write did not.
    this.commit = Math.max(initial.hard.commit, initial.applied) as LogIndex;
    this.durableCommit = new DurableCommit(this.commit);
    this.membership = initial.membership;
    this.removed = initial.membership.removed.includes(this.id);
    this.electionTimeout = this.#drawElectionTimeout();
    invariant(this.commit <= this.log.lastIndex(), 'The log ends before its commit index', {
      commit: this.commit,
      last: this.log.lastIndex(),
    });
    invariant(this.log.lastTerm() <= this.term, 'The log is from a later term than the vote', {
      lastTerm: this.log.lastTerm(),
      term: this.term,
    });
    this.rebuildProgress();
  }

  get hard(): HardState {
    return { term: this.term, vote: this.vote, commit: this.commit };
  }

  get isVoter(): boolean {
    return this.membership.voters.includes(this.id);
  }

  /** An entry of this leader's own term is committed, so its commit index covers earlier terms. */
  get committedInOwnTerm(): boolean {
    return this.log.termOf(this.commit) === this.term;
  }

  /**
   * Silent ticks before it campaigns. A reluctant node waits until every other one must have: two
   * timeouts cover the longest draw. So it is elected only where nobody else can be.
   */
  get patience(): number {
    return this.electionTimeout + (this.isReluctant ? 2 * this.options.electionTicks : 0);
  }

  #drawElectionTimeout(): number {
    const { electionTicks, random } = this.options;
    return electionTicks + random.below(electionTicks);
  }

  /** Clears what belongs to one term and role; a new term forgets the vote. */
  reset(term: Term): void {
    invariant(term >= this.term, 'The term would fall', { from: this.term, to: term });
    if (term !== this.term) {
      this.term = term;
      this.vote = undefined;
    }
    this.leader = undefined;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.electionTimeout = this.#drawElectionTimeout();
    this.votes.clear();
    this.transferee = undefined;
    this.timeoutNowSent = false;
    this.pendingChangeIndex = 0 as LogIndex;
    this.selfMatch = 0 as LogIndex;
    this.selfAcksDue = [];
    this.replicationDue = false;
    this.uncommitted.clear();
    this.lease.reset();
    this.progress.clear();
    this.rebuildProgress();
    this.failAllReads();
  }

  /** Reads that rest on a leadership that ended are failed, even confirmed ones (etcd #21375). */
  failAllReads(): void {
    for (const request of this.rounds.abandon()) {
      if (request.from === this.id) this.failedReads.push(request.context);
    }
    this.failedReads.push(...this.forwarded.abandon(), ...this.reads.map((read) => read.context));
    this.reads = [];
  }

  /** Forgets what `node` acknowledged: it came back, and may have lost it. */
  forgetProgress(node: NodeId): void {
    this.lease.forget(node);
    if (!this.progress.delete(node)) return;
    this.rebuildProgress();
    const fresh = this.progress.get(node);
    if (fresh !== undefined) fresh.wantsProbe = true;
    this.replicationDue = true;
  }

  /** One progress a peer of the present membership; what is known of a peer that stays is kept. */
  rebuildProgress(): void {
    const { inflightMax, appendBytesMax } = this.options;
    const next = new Map<NodeId, Progress>();
    for (const node of members(this.membership)) {
      if (node === this.id) continue;
      const known = this.progress.get(node);
      if (known !== undefined) {
        next.set(node, known);
        continue;
      }
      const window = new Inflights(inflightMax, appendBytesMax * INFLIGHT_APPENDS_FULL);
      const fresh = new Progress((this.log.lastIndex() + 1) as LogIndex, window);
      // A peer that just joined counts as heard from until the next quorum check.
      if (this.role === 'leader') fresh.heard();
      next.set(node, fresh);
    }
    this.progress = next;
  }

  /** Two leaders in one term would break everything built on this (Raft 5.2, election safety). */
  sawLeader(node: NodeId): void {
    const seen = this.#leaderSeen;
    if (seen?.term === this.term) {
      invariant(seen.node === node, 'Two leaders in one term', {
        term: this.term,
        first: seen.node,
        second: node,
      });
      return;
    }
    this.#leaderSeen = { term: this.term, node };
  }

  /** Goes out at once. */
  say(message: Message): void {
    this.traceMessage('Send', message);
    this.sendNow.push(message);
  }

  /** Goes out when all that this node has decided so far is durable. */
  sayAfterPersist(message: Message): void {
    this.traceMessage('Send', message);
    this.afterPersist.push(message);
  }

  /** @param index not beyond the last entry. Never moves back. */
  commitTo(index: LogIndex): void {
    if (index <= this.commit) return;
    invariant(index <= this.log.lastIndex(), 'Committing beyond the log', {
      index,
      last: this.log.lastIndex(),
    });
    this.commit = index;
  }

  /** What peers may be told is committed: see `DurableCommit`. */
  get announcedCommit(): LogIndex {
    const { index } = this.durableCommit;
    return this.pendingChangeIndex > index ? index : this.commit;
  }

  /** What a storage receipt covers is stable. */
  stable(receipt: StorageReceipt): void {
    if (receipt.commit !== undefined && this.durableCommit.written(receipt.commit)) {
      if (this.role === 'leader') this.replicationDue = true;
    }
    if (receipt.snapshotIndex !== undefined) {
      this.log.snapshotStable(receipt.snapshotIndex);
      if (this.log.pendingSnapshot === undefined) this.apply.restored(receipt.snapshotIndex);
    }
    // Entries written in an earlier term may have been replaced since, and put back, while the
    // write was on its way: only a receipt of the present term speaks of the present log.
    if (receipt.term === this.term) this.log.stableTo(receipt.lastIndex, receipt.lastTerm);
  }

  trace(name: TraceName, more: Pick<TraceEvent, 'msg' | 'prop'> = {}): void {
    const { trace } = this.options;
    if (trace === undefined) return;
    trace(
      traceEvent(
        name,
        {
          id: this.id,
          hard: this.hard,
          role: this.role,
          lastIndex: this.log.lastIndex(),
          membership: this.membership,
        },
        more,
      ),
    );
  }

  traceMessage(leg: 'Send' | 'Receive', message: Message): void {
    if (this.options.trace === undefined) return;
    const name = traceNameOf(leg, message.kind);
    if (name !== undefined) this.trace(name, { msg: traceMessage(message) });
  }
}
