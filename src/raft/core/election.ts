import { unreachable } from '../../lib/index.ts';
import { commitPoint } from './commit-point.ts';
import type { CoreState } from './core-state.ts';
import type { Message, NodeId, Term } from './message.ts';
import { voteResult } from './quorum.ts';
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './roles.ts';
import { hasUnappliedChange } from './unapplied-change.ts';

type VoteRequest = Extract<Message, { kind: 'vote' | 'pre-vote' }>;
type VoteResponse = Extract<Message, { kind: 'vote-response' | 'pre-vote-response' }>;
export type Campaign = 'pre-vote' | 'vote' | 'transfer';

/** Why this node must not campaign now; `undefined` when it may. */
export function whyNotCampaign(core: CoreState): string | undefined {
  if (core.removed) return 'removed';
  if (!core.isVoter) return 'no voter';
  if (core.logLost) return 'lost part of its log';
  if (core.log.pendingSnapshot !== undefined) return 'installing a snapshot';
  if (core.storage.stalled) return 'its disk does not answer';
  if (hasUnappliedChange(core)) return 'a committed membership change is not applied';
  return undefined;
}

export function campaign(core: CoreState, how: Campaign): void {
  if (core.role === 'leader' || whyNotCampaign(core) !== undefined) return;
  if (how === 'pre-vote') becomePreCandidate(core);
  else becomeCandidate(core);
  const kind = how === 'pre-vote' ? 'pre-vote' : 'vote';
  // A pre-vote asks about the next term without entering it.
  const term = (kind === 'pre-vote' ? core.term + 1 : core.term) as Term;
  if (kind === 'vote') core.traceMessage('Send', selfVote(core));
  for (const voter of core.membership.voters) {
    if (voter === core.id) continue;
    const request: Message = {
      kind,
      from: core.id,
      to: voter,
      term,
      lastIndex: core.log.lastIndex(),
      lastTerm: core.log.lastTerm(),
      transfer: how === 'transfer',
      ...commitPoint(core),
    };
    // What a vote is asked on must survive a crash: else grants that arrive after it would elect,
    // in this term again, a shorter log than they were given for.
    if (kind === 'vote') core.sayAfterPersist(request);
    else core.say(request);
  }
  // Promising a pre-vote to oneself binds to nothing; the vote itself counts once it is durable.
  if (kind === 'pre-vote') countVote(core, core.id, true);
}

function selfVote(core: CoreState): Message {
  const { id, term } = core;
  return { kind: 'vote-response', from: id, to: id, term, reject: false, ...commitPoint(core) };
}

/** A receipt of this term is back: so is the vote that this candidate gave itself with the term. */
export function ownVoteDurable(core: CoreState): void {
  if (core.role !== 'candidate' || core.votes.has(core.id)) return;
  core.traceMessage('Receive', selfVote(core));
  countVote(core, core.id, true);
}

function countVote(core: CoreState, from: NodeId, granted: boolean): void {
  if (!core.votes.has(from)) core.votes.set(from, granted);
  const result = voteResult(core.membership.voters.map((voter) => core.votes.get(voter)));
  switch (result) {
    case 'won':
      if (core.role === 'pre-candidate') campaign(core, 'vote');
      else becomeLeader(core);
      return;
    case 'lost':
      becomeFollower(core, core.term, undefined);
      return;
    case 'pending':
      return;
    default:
      unreachable(result);
  }
}

export function handleVoteResponse(core: CoreState, message: VoteResponse): void {
  const asked = message.kind === 'vote-response' ? 'candidate' : 'pre-candidate';
  if (core.role !== asked) return;
  // A grant names the term that was asked for; one for another term answers an older question.
  const granted = !message.reject;
  if (asked === 'pre-candidate' && granted && message.term !== core.term + 1) return;
  countVote(core, message.from, granted);
}

/**
 * A node that hears from a leader turns candidates away, so that one that was cut off or removed
 * cannot disturb the rest (Raft thesis 4.2.3, 6.4.1). Not the leader itself: if it asks, it leads
 * no more (hashicorp/raft #605).
 */
export function isSticky(core: CoreState, message: VoteRequest): boolean {
  return (
    !message.transfer &&
    core.leader !== undefined &&
    core.leader !== message.from &&
    core.electionElapsed < core.options.electionTicks
  );
}

/** Learners vote too when asked: they may have been promoted and not know it yet (abb533c). */
export function handleVoteRequest(core: CoreState, message: VoteRequest): void {
  const isPreVote = message.kind === 'pre-vote';
  const free =
    core.vote === message.from ||
    (core.vote === undefined && core.leader === undefined) ||
    (isPreVote && message.term > core.term);
  const upToDate = core.log.isUpToDate(message.lastIndex, message.lastTerm);
  const granted = free && upToDate && !core.logLost && !core.silence.forbids(message);
  if (granted && !isPreVote) {
    core.electionElapsed = 0;
    core.vote = message.from;
  }
  core.sayAfterPersist({
    kind: isPreVote ? 'pre-vote-response' : 'vote-response',
    from: core.id,
    to: message.from,
    // A granted pre-vote speaks of the term asked for, which this node has not entered.
    term: granted && isPreVote ? message.term : core.term,
    reject: !granted,
    ...commitPoint(core),
  });
}
