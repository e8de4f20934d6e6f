import { invariant } from '../../lib/index.ts';
import type { CoreState } from './core-state.ts';
import type { LogIndex, Message, NodeId } from './message.ts';
import type { Progress } from './progress.ts';
import { majority } from './quorum.ts';
import { maybeCommit, selfAck } from './replication.ts';
import { becomeFollower } from './roles.ts';
import { targetCaughtUp } from './transfer.ts';

/**
 * Election timeouts of silence after which a peer counts as gone. Followers that stall for less are
 * not worth an election: that would take longer.
 */
const QUIET_TIMEOUTS = 1.5;

type AppendResponse = Extract<Message, { kind: 'append-response' }>;

export function handleAppendResponse(core: CoreState, message: AppendResponse): void {
  const progress = core.progress.get(message.from);
  if (progress === undefined) return;
  progress.heard();
  if (message.reject) handleRejection(core, progress, message);
  else handleAcceptance(core, progress, message);
}

function handleRejection(core: CoreState, progress: Progress, message: AppendResponse): void {
  // The peer said where it may agree; this log may know to go back further (both sides of 5.3).
  const guess =
    message.hintTerm > 0
      ? core.log.lastIndexAtOrBelowTerm(
          Math.min(message.hintIndex, core.log.lastIndex()) as LogIndex,
          message.hintTerm,
        ).index
      : message.hintIndex;
  if (!progress.reject(message.index, guess)) return;
  if (progress.state === 'replicate') progress.becomeProbe();
  progress.wantsProbe = true;
  core.replicationDue = true;
}

function handleAcceptance(core: CoreState, progress: Progress, message: AppendResponse): void {
  const { index, from } = message;
  invariant(index <= core.log.lastIndex(), 'A peer acknowledged more than the leader has', {
    peer: from,
    index,
    last: core.log.lastIndex(),
  });
  const moved = progress.acknowledge(index);
  // A peer that only confirms what was known still ends the search for where the logs agree.
  if (!moved && !(progress.state === 'probe' && progress.match === index)) return;
  core.replicationDue = true;
  switch (progress.state) {
    case 'probe':
      progress.becomeReplicate();
      break;
    case 'snapshot':
      // Any state that the log reaches will do, not only the snapshot that was sent (etcd #110).
      if (progress.match + 1 >= core.log.firstIndex()) {
        progress.becomeProbe();
        progress.becomeReplicate();
      }
      break;
    case 'replicate':
      progress.inflights.freeUpTo(index);
      progress.paused = false;
      break;
  }
  maybeCommit(core);
  targetCaughtUp(core, from);
}

export function handleHeartbeatResponse(
  core: CoreState,
  message: Extract<Message, { kind: 'heartbeat-response' }>,
): void {
  const progress = core.progress.get(message.from);
  if (progress === undefined) return;
  progress.heard();
  progress.givesVotes = message.recovering !== true;
  // Whatever was on its way may be lost: one more append may go, so that a full window heals.
  progress.paused = false;
  if (progress.match < core.log.lastIndex() || progress.state === 'probe') {
    progress.wantsProbe = true;
    core.replicationDue = true;
  }
  if (message.context === 0) return;
  core.rounds.acknowledge(message.from, message.context);
  const { promiseMs } = message;
  if (promiseMs !== undefined) core.lease.acknowledged(message.from, message.context, promiseMs);
}

/** The leader's own entries are durable up to `index`: it counts like any other voter. */
export function ownAppendDurable(core: CoreState, index: LogIndex): void {
  while (core.selfAcksDue[0] !== undefined && core.selfAcksDue[0] <= index) {
    core.traceMessage('Receive', selfAck(core, core.selfAcksDue.shift() ?? index));
  }
  if (index <= core.selfMatch) return;
  core.selfMatch = index;
  maybeCommit(core);
}

/**
 * A leader that hears from no majority may have been replaced without knowing: it steps down, so
 * that its clients look elsewhere (Raft thesis 6.2). Looked at every tick: one that is heard by its
 * followers, and does not hear them, keeps them from electing another for so long only.
 */
export function checkQuorum(core: CoreState): void {
  const { voters } = core.membership;
  const quietTicksMax = Math.ceil(QUIET_TIMEOUTS * core.options.electionTicks);
  for (const progress of core.progress.values()) progress.tick(quietTicksMax);
  const active = voters.filter(
    (voter) => voter === core.id || core.progress.get(voter)?.recentlyActive === true,
  );
  if (active.length < majority(voters.length)) becomeFollower(core, core.term, undefined);
}

/** What was sent since may be lost: find out again where the peer is. */
export function peerUnreachable(core: CoreState, node: NodeId): void {
  const progress = core.progress.get(node);
  if (core.role !== 'leader' || progress?.state !== 'replicate') return;
  progress.becomeProbe();
  progress.wantsProbe = true;
  core.replicationDue = true;
}

export function snapshotEnded(core: CoreState, node: NodeId, outcome: 'sent' | 'failed'): void {
  const progress = core.progress.get(node);
  if (core.role !== 'leader' || progress?.state !== 'snapshot') return;
  if (outcome === 'failed') progress.snapshotIndex = 0 as LogIndex;
  progress.becomeProbe();
  // Installing takes the peer a while: wait for its answer, or for a heartbeat's.
  progress.paused = true;
}
