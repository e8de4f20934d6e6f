import { InvariantError, StrongroomError, unreachable } from '../../lib/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import type { MembershipChange, NodeId, RaftCore } from '../core/index.ts';

type MembershipOutcome = ReturnType<RaftCore['proposeMembership']>;

export function notLeader(leader: NodeId | undefined): StrongroomError {
  const who = leader === undefined ? 'no leader is known yet' : `node ${leader} is the leader`;
  return new StrongroomError('raft.not-leader', `Cannot propose here: ${who}`, {
    details: leader === undefined ? {} : { leader },
  });
}

export function noLeader(what: string): StrongroomError {
  return new StrongroomError(
    'raft.no-leader',
    `Cannot ${what}: no leader answered in time, an election may be under way or a majority unreachable`,
  );
}

export function overloaded(): StrongroomError {
  return new StrongroomError(
    'raft.overloaded',
    'Cannot propose: too many writes wait for a majority; nothing was written, retry with backoff',
  );
}

export function outcomeUnknown(why: string): StrongroomError {
  return new StrongroomError(
    'raft.outcome-unknown',
    `The write may or may not have been made: ${why}; retry it with the same request id`,
  );
}

export function stopped(node: NodeId): StrongroomError {
  return new StrongroomError('raft.stopped', `Raft has stopped on node ${node}; ask another node`);
}

export function cancelled(what: string): StrongroomError {
  return new StrongroomError('request.cancelled', `The caller called off ${what}`);
}

export function removed(node: NodeId): StrongroomError {
  return new StrongroomError(
    'raft.stopped',
    `Node ${node} was removed from the cluster; start it again under a new id with empty directories to add it anew`,
  );
}

export function transferFailed(message: string, target?: NodeId): StrongroomError {
  return new StrongroomError('raft.transfer-failed', message, {
    details: target === undefined ? {} : { target },
  });
}

/** What a membership change that was not taken up is to its caller. */
export function membershipFailed(
  change: MembershipChange,
  outcome: Exclude<MembershipOutcome, { readonly kind: 'accepted' }>,
): StrongroomError {
  switch (outcome.kind) {
    case 'not-leader':
      return notLeader(outcome.leader);
    case 'transferring':
      return notLeader(undefined);
    case 'overloaded':
      return overloaded();
    case 'refused':
      return new StrongroomError(
        'raft.membership-refused',
        `Cannot ${change.kind} node ${change.node}: ${outcome.because}`,
        { details: { node: change.node } },
      );
    default:
      return unreachable(outcome);
  }
}

/** Says why a node ended by itself. */
export function logEnding(log: Logger, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof InvariantError) {
    log.error({ invariant: message, facts: error.facts }, 'A broken invariant stopped Raft');
    return;
  }
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
  log.error({ error: message, cause }, 'Raft stopped on this node');
}
