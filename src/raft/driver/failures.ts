import { StrongroomError } from '../../lib/index.ts';
import type { NodeId } from '../core/index.ts';

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
