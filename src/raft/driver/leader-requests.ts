import type {
  LogIndex,
  LogReader,
  MembershipChange,
  NodeId,
  RaftCore,
  Term,
} from '../core/index.ts';
import { membershipFailed, notLeader, outcomeUnknown, transferFailed } from './failures.ts';
import type { RaftStatus } from './raft-node.ts';
import type { StatusListeners } from './status-listeners.ts';

export interface LeaderRequestsOptions {
  readonly core: RaftCore;
  readonly raftLog: Pick<LogReader, 'termOf'>;
  readonly listeners: StatusListeners;
  readonly status: () => RaftStatus;
  readonly wake: () => void;
  /** How long an election may take at most. */
  readonly electionMs: number;
}

/** What an operator asks of the leader, and waits for: rare, and told by the status. */
export class LeaderRequests {
  readonly #options: LeaderRequestsOptions;

  constructor(options: LeaderRequestsOptions) {
    this.#options = options;
  }

  async changeMembership(change: MembershipChange): Promise<void> {
    const { core, wake } = this.#options;
    const outcome = core.proposeMembership(change);
    wake();
    if (outcome.kind !== 'accepted') throw membershipFailed(change, outcome);
    await this.#applied(outcome.last, outcome.term);
    // A change that took a vote away is sealed by then: see `sealChange`.
    const { status, listeners } = this.#options;
    const settled = (now: RaftStatus) => now.settled || now.role !== 'leader';
    if (!settled(status())) await listeners.when(settled);
    if (!status().settled) throw outcomeUnknown('leadership was lost meanwhile');
  }

  async transferLeadership(target: NodeId | undefined): Promise<void> {
    const { core, wake, listeners, electionMs } = this.#options;
    const { term } = core.status();
    const outcome = core.transferLeadership(target);
    wake();
    if (outcome.kind === 'not-leader') throw notLeader(outcome.leader);
    if (outcome.kind === 'refused') {
      throw transferFailed(`Cannot hand over leadership: ${outcome.because}`);
    }
    const taken = (status: RaftStatus) =>
      status.term > term && status.leader !== undefined && status.leader !== status.node;
    if (await listeners.until(taken, 2 * electionMs)) return;
    throw transferFailed(
      `Node ${outcome.target} did not take over within an election timeout; this node goes on`,
      outcome.target,
    );
  }

  async #applied(index: LogIndex, term: Term): Promise<void> {
    const { status, listeners, raftLog } = this.#options;
    const done = (now: RaftStatus) =>
      now.applied >= index || now.role === 'stopped' || now.term !== term;
    if (!done(status())) await listeners.when(done);
    const stored = raftLog.termOf(index) ?? term;
    if (stored === term && status().applied >= index) return;
    throw outcomeUnknown('leadership was lost meanwhile');
  }
}
