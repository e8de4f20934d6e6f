import { unreachable } from '../../lib/index.ts';
import { CoreState } from './core-state.ts';
import { campaign, ownVoteDurable, whyNotCampaign } from './election.ts';
import { saySignOfLife } from './follower.ts';
import { checkQuorum, ownAppendDurable, peerUnreachable, snapshotEnded } from './leader.ts';
import { decodeMembershipChange, isVoter, membershipAfter } from './membership.ts';
import type {
  Entry,
  LogIndex,
  Membership,
  MembershipChange,
  Message,
  NodeId,
  Term,
} from './message.ts';
import type { RaftCoreOptions } from './options.ts';
import type { ProgressState } from './progress.ts';
import {
  isSettled,
  type MembershipOutcome,
  type ProposeOutcome,
  propose,
  proposeMembership,
  sealChange,
} from './proposals.ts';
import { readIndex } from './reads.ts';
import type { Ready, Role, StorageReceipt } from './ready.ts';
import { ReadyMaker } from './ready-maker.ts';
import { sendHeartbeats } from './replication.ts';
import { becomeFollower } from './roles.ts';
import { step } from './step.ts';
import { traceChange, traceConf } from './trace.ts';
import { abortTransfer, type TransferOutcome, transferLeadership } from './transfer.ts';

export interface CorePeer {
  readonly node: NodeId;
  readonly state: ProgressState;
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly recentlyActive: boolean;
}

export interface CoreStatus {
  readonly node: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly leader: NodeId | undefined;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly membership: Membership;
  /** Filled on the leader only, ascending. */
  readonly peers: readonly CorePeer[];
  /** Where leadership is being handed to. */
  readonly transferring: NodeId | undefined;
  /** This node was removed for good: the driver ends it. */
  readonly removed: boolean;
  /** The leader knows entries acknowledged here that this node does not have: the disk lost them. */
  readonly logLost: boolean;
  /**
   * Told on the leader only: every change that took effect is known for good to a majority of those
   * who still count, so that whoever was taken out may end.
   */
  readonly settled: boolean;
}

/**
 * One node's Raft, as a synchronous machine: ticks, messages and receipts in, `Ready` out. It has
 * no clock, no disk and no network, and the same inputs give the same outputs. A throw is always an
 * `InvariantError`: the node must stop.
 *
 * Raft (Ongaro and Ousterhout 2014) with PreVote, CheckQuorum, ReadIndex, learners, membership
 * changes of one node at a time effective when applied, and leadership transfer.
 */
export class RaftCore {
  readonly #core: CoreState;
  readonly #maker: ReadyMaker;

  constructor(options: RaftCoreOptions) {
    this.#core = new CoreState(options);
    this.#maker = new ReadyMaker(this.#core);
    this.#core.trace('InitState');
  }

  /** One unit of time has passed. Late ticks are not made up for by several at once. */
  tick(): void {
    const core = this.#core;
    core.storage.tick();
    core.silence.tick();
    core.failedReads.push(...core.forwarded.tick());
    core.electionElapsed += 1;
    if (core.role === 'leader') this.#tickLeader();
    else if (core.electionElapsed >= core.patience) {
      core.electionElapsed = 0;
      if (whyNotCampaign(core) === undefined) campaign(core, 'pre-vote');
      else if (core.leader !== undefined) becomeFollower(core, core.term, undefined);
      else if (!core.isVoter) saySignOfLife(core);
    }
  }

  #tickLeader(): void {
    const core = this.#core;
    const { electionTicks, heartbeatTicks } = core.options;
    core.heartbeatElapsed += 1;
    // Alone there is nobody to hand over to, and clients see the stalled disk as it is.
    if (core.storage.stalled && core.membership.voters.length > 1) {
      becomeFollower(core, core.term, undefined);
      return;
    }
    if (core.electionElapsed >= electionTicks) {
      core.electionElapsed = 0;
      abortTransfer(core);
    }
    checkQuorum(core);
    if (core.role === 'leader' && core.heartbeatElapsed >= heartbeatTicks) {
      core.heartbeatElapsed = 0;
      if (core.options.lease !== undefined) core.rounds.renew();
      sendHeartbeats(core);
    }
  }

  /** A message from a peer, already checked for cluster, group and incarnation. */
  step(message: Message): void {
    step(this.#core, message);
  }

  /** Appends commands to the log, if this node leads; one entry each, all or none. */
  propose(data: readonly Uint8Array[]): ProposeOutcome {
    return propose(this.#core, data);
  }

  /** `refused` names the guard that stands against `change`. */
  proposeMembership(change: MembershipChange): MembershipOutcome {
    return proposeMembership(this.#core, change);
  }

  /**
   * Asks for a linearizable read's index. The answer comes in `Ready.reads` or
   * `Ready.failedReads` under `context`, on any member.
   */
  readIndex(context: number): void {
    readIndex(this.#core, context);
  }

  /** @param target `undefined` for the follower that is furthest along. */
  transferLeadership(target: NodeId | undefined): TransferOutcome {
    return transferLeadership(this.#core, target);
  }

  /** Whether this node lets others go first in elections: see `CoreState.patience`. */
  setReluctant(isReluctant: boolean): void {
    this.#core.isReluctant = isReluctant;
  }

  /** Messages to `node` may have been lost: the link broke. */
  reportUnreachable(node: NodeId): void {
    peerUnreachable(this.#core, node);
  }

  /**
   * `node` came back as a new process. What its last one acknowledged may be lost with its disk, so
   * it is counted only for what this one acknowledges. Must come before any message of the new one.
   */
  peerRestarted(node: NodeId): void {
    if (this.#core.role === 'leader') this.#core.forgetProgress(node);
  }

  /** This node holds again everything that was committed while it may have acknowledged it. */
  logRecovered(): void {
    this.#core.logLost = false;
  }

  /** The transfer of the snapshot that `node` was sent ended. Must follow every one. */
  reportSnapshot(node: NodeId, outcome: 'sent' | 'failed'): void {
    snapshotEnded(this.#core, node, outcome);
  }

  /** The write of the `Ready` that carried `receipt`, and all before it, are durable. */
  storageAppended(receipt: StorageReceipt): void {
    const core = this.#core;
    core.storage.done(receipt);
    core.stable(receipt);
    if (receipt.term !== core.term) return;
    switch (core.role) {
      case 'candidate':
        ownVoteDurable(core);
        return;
      case 'leader':
        ownAppendDurable(core, Math.min(receipt.lastIndex, core.log.durableIndex()) as LogIndex);
        return;
      case 'follower':
      case 'pre-candidate':
        return;
      default:
        unreachable(core.role);
    }
  }

  /** The state machine holds the effects of everything up to `index`. */
  applied(index: LogIndex): void {
    const core = this.#core;
    for (const entry of core.apply.appliedTo(index)) this.#switchMembership(entry);
  }

  #switchMembership(entry: Entry): void {
    const core = this.#core;
    const after = membershipAfter(core.membership, [entry]);
    if (entry.kind === 'membership') {
      const change = traceChange(decodeMembershipChange(entry.data));
      core.trace('ApplyConfChange', { prop: { cc: { ...change, newconf: traceConf(after) } } });
    }
    const lostVote = core.membership.voters.some((voter) => !isVoter(after, voter));
    core.membership = after;
    core.removed ||= after.removed.includes(core.id);
    core.rebuildProgress();
    if (core.transferee !== undefined && !isVoter(after, core.transferee)) abortTransfer(core);
    if (core.role === 'follower') return;
    // A leader that is no voter any more would commit without being part of the majority.
    if (!core.isVoter) becomeFollower(core, core.term, undefined);
    // A smaller majority may have been reached already, and a new peer waits for entries.
    else if (core.role === 'leader') {
      if (lostVote) sealChange(core);
      this.#maker.membershipChanged();
    }
  }

  /** @param nowMs see `ready`. */
  hasReady(nowMs?: number): boolean {
    return this.#maker.hasReady(nowMs);
  }

  /**
   * Takes what there is to do; several may be outstanding. See `Ready`.
   *
   * @param nowMs by a clock that never stands still or goes back while this process lives, read
   *   just now: leases are measured by it. Without it none is used.
   */
  ready(nowMs?: number): Ready {
    return this.#maker.ready(nowMs);
  }

  /** The term that this node leads in; undefined when it does not lead. Asked at each request. */
  get leadingTerm(): Term | undefined {
    return this.#core.role === 'leader' ? this.#core.term : undefined;
  }

  status(): CoreStatus {
    const core = this.#core;
    const peers = core.role === 'leader' ? [...core.progress] : [];
    return {
      node: core.id,
      role: core.role,
      term: core.term,
      leader: core.leader,
      commit: core.commit,
      applied: core.apply.applied,
      firstIndex: core.log.firstIndex(),
      lastIndex: core.log.lastIndex(),
      membership: core.membership,
      peers: peers.map(([node, { state, match, next, recentlyActive }]) => ({
        node,
        state,
        match,
        next,
        recentlyActive,
      })),
      transferring: core.transferee,
      removed: core.removed,
      logLost: core.logLost,
      settled: this.settled,
    };
  }

  /** See `CoreStatus`. */
  get settled(): boolean {
    return isSettled(this.#core);
  }
}
