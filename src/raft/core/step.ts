import { unreachable } from '../../lib/index.ts';
import { commitPoint, learnCommit } from './commit-point.ts';
import type { CoreState } from './core-state.ts';
import { campaign, handleVoteRequest, handleVoteResponse, isSticky } from './election.ts';
import { handleAppend, handleHeartbeat, handleSnapshot } from './follower.ts';
import { handleAppendResponse, handleHeartbeatResponse } from './leader.ts';
import { isMember, isVoter } from './membership.ts';
import type { LogIndex, Message, Term } from './message.ts';
import { handleReadIndex, handleReadIndexResponse } from './reads.ts';
import { becomeFollower } from './roles.ts';
import { transferLeadership } from './transfer.ts';

type FromLeader = Extract<Message, { kind: 'append' | 'heartbeat' | 'snapshot' }>;

/** One message from a peer: first what its sender and term mean, then what it says. */
export function step(core: CoreState, message: Message): void {
  if (message.to !== core.id || message.from === core.id) return;
  if (message.kind === 'removed') {
    learnRemoval(core);
    return;
  }
  if (core.membership.removed.includes(message.from)) {
    core.say({ kind: 'removed', from: core.id, to: message.from, term: core.term });
    return;
  }
  if (core.removed) return;
  core.traceMessage('Receive', message);
  if ('commitTerm' in message) learnCommit(core, message);
  if (message.term < core.term) {
    answerStale(core, message);
    return;
  }
  if (message.term > core.term && !enterTerm(core, message)) return;
  dispatch(core, message);
}

function learnRemoval(core: CoreState): void {
  if (core.removed) return;
  core.removed = true;
  becomeFollower(core, core.term, undefined);
}

/** @returns whether the message is to be handled at all. */
function enterTerm(core: CoreState, message: Message): boolean {
  switch (message.kind) {
    case 'vote':
    case 'pre-vote':
      if (isSticky(core, message) || core.silence.forbids(message)) return false;
      if (message.kind === 'vote') becomeFollower(core, message.term, undefined);
      return true;
    case 'pre-vote-response':
      // A grant names the term that was asked about; a rejection the one that its sender is in.
      if (message.reject) becomeFollower(core, message.term, undefined);
      return true;
    case 'append':
    case 'heartbeat':
    case 'snapshot':
      becomeFollower(core, message.term, message.from);
      return true;
    default:
      becomeFollower(core, message.term, undefined);
      return true;
  }
}

function answerStale(core: CoreState, message: Message): void {
  const { id: from, term } = core;
  const to = message.from;
  switch (message.kind) {
    case 'append':
    case 'heartbeat':
    case 'snapshot':
      // Without an answer a leader of an older term would never learn that it is over, and a node
      // cut off in a later term could never come back.
      core.sayAfterPersist({
        kind: 'append-response',
        from,
        to,
        term,
        index: 0 as LogIndex,
        reject: true,
        hintIndex: 0 as LogIndex,
        hintTerm: 0 as Term,
      });
      return;
    case 'pre-vote':
      // Not dropped: while PreVote is being rolled out, silence would be a deadlock (3c7359d).
      core.sayAfterPersist({
        kind: 'pre-vote-response',
        from,
        to,
        term,
        reject: true,
        ...commitPoint(core),
      });
      return;
    default:
      return;
  }
}

function dispatch(core: CoreState, message: Message): void {
  switch (message.kind) {
    case 'vote':
    case 'pre-vote':
      handleVoteRequest(core, message);
      return;
    case 'vote-response':
    case 'pre-vote-response':
      if (isVoter(core.membership, message.from)) handleVoteResponse(core, message);
      return;
    case 'append':
    case 'heartbeat':
    case 'snapshot':
      followLeader(core, message);
      return;
    case 'append-response':
      if (core.role === 'leader') handleAppendResponse(core, message);
      return;
    case 'heartbeat-response':
      if (core.role === 'leader') handleHeartbeatResponse(core, message);
      return;
    case 'timeout-now':
      if (message.from === core.leader) campaign(core, 'transfer');
      return;
    case 'transfer-leader':
      if (isMember(core.membership, message.from)) transferLeadership(core, message.target);
      return;
    case 'read-index':
      handleReadIndex(core, message);
      return;
    case 'read-index-response':
      handleReadIndexResponse(core, message);
      return;
    case 'removed':
      return;
    default:
      unreachable(message);
  }
}

function followLeader(core: CoreState, message: FromLeader): void {
  core.sawLeader(message.from);
  core.silence.heard(message.from);
  if (core.role !== 'follower') becomeFollower(core, core.term, message.from);
  core.leader = message.from;
  core.electionElapsed = 0;
  switch (message.kind) {
    case 'append':
      handleAppend(core, message);
      return;
    case 'heartbeat':
      handleHeartbeat(core, message);
      return;
    case 'snapshot':
      handleSnapshot(core, message);
      return;
    default:
      unreachable(message);
  }
}
