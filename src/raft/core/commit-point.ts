import type { CoreState } from './core-state.ts';
import type { CommitPoint, LogIndex, Term } from './message.ts';
import { becomeFollower } from './roles.ts';
import { hasUnappliedChange } from './unapplied-change.ts';

/** What this node knows to be committed and, after a power cut, would still know. */
export function commitPoint({ durableCommit, log }: CoreState): CommitPoint {
  // What was compacted was applied.
  const commit = Math.max(durableCommit.index, log.firstIndex() - 1) as LogIndex;
  const commitTerm = log.termOf(commit);
  if (commitTerm === undefined) return { commit: 0 as LogIndex, commitTerm: 0 as Term };
  return { commit, commitTerm };
}

/**
 * Takes what a candidate or a voter says is committed. Only a leader tells this otherwise, and
 * without a leader it can be what an election waits for: who knows that a change of membership is
 * committed has the shorter log, and who has the longer one still waits for a majority of those who
 * counted before (as in raft-rs, `maybe_commit_by_vote`).
 *
 * Safe whoever says it: two logs that hold an entry of one index and term are the same up to it
 * (Raft 5.3), and what is committed anywhere is committed for ever.
 */
export function learnCommit(core: CoreState, { commit, commitTerm }: CommitPoint): void {
  if (core.role === 'leader' || commit <= core.commit) return;
  if (!core.log.hasEntry(commit, commitTerm)) return;
  core.commitTo(commit);
  core.trace('LearnCommit');
  // Those whose votes it counts are no longer those who count. It asks again when it has applied.
  if (core.role !== 'follower' && hasUnappliedChange(core)) {
    becomeFollower(core, core.term, undefined);
  }
}
