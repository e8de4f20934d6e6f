import { invariant } from '../../lib/index.ts';
import type { CoreState } from './core-state.ts';
import { encodeFounders } from './membership.ts';
import type { NodeId, Term } from './message.ts';
import { appendOwn } from './replication.ts';

/** @param leader who leads `term`, if that is what brought the term here. */
export function becomeFollower(core: CoreState, term: Term, leader: NodeId | undefined): void {
  // PreVote is not part of the traced specification: leaving it unharmed is no event.
  const silent = core.role === 'pre-candidate' && term === core.term;
  core.reset(term);
  core.role = 'follower';
  core.leader = leader;
  if (leader !== undefined) core.sawLeader(leader);
  if (!silent) core.trace('BecomeFollower');
}

/** Asks whether an election could be won, without disturbing anyone (Raft thesis 9.6). */
export function becomePreCandidate(core: CoreState): void {
  invariant(core.role !== 'leader', 'A leader does not campaign');
  const failed = core.role === 'candidate';
  core.role = 'pre-candidate';
  // The traced specification has no such role: there a candidate that asks again went back first.
  if (failed) core.trace('BecomeFollower');
  core.votes.clear();
  // Whoever still names a leader turns other candidates away: two such nodes would block each
  // other for ever. So asking means having no leader.
  core.leader = undefined;
  core.failAllReads();
}

export function becomeCandidate(core: CoreState): void {
  invariant(core.role !== 'leader', 'A leader does not campaign');
  core.reset((core.term + 1) as Term);
  core.vote = core.id;
  core.role = 'candidate';
  core.trace('BecomeCandidate');
}

export function becomeLeader(core: CoreState): void {
  invariant(core.role === 'candidate', 'Only a candidate becomes leader', { role: core.role });
  core.reset(core.term);
  core.role = 'leader';
  core.leader = core.id;
  core.sawLeader(core.id);
  for (const progress of core.progress.values()) progress.heard();
  core.trace('BecomeLeader');
  // Committing this entry tells which earlier ones are committed (Raft 8), and lets reads begin.
  core.trace('Replicate');
  const founds = core.log.lastIndex() === 0;
  const opening = founds ? encodeFounders(core.membership) : new Uint8Array();
  // An entry further back may be a membership change that this node does not know to be committed.
  core.pendingChangeIndex = appendOwn(core, 'empty', [opening]).last;
}
