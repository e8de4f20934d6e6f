import type { CoreState } from './core-state.ts';
import { isVoter } from './membership.ts';
import type { NodeId } from './message.ts';

export type TransferOutcome =
  | { readonly kind: 'started'; readonly target: NodeId }
  | { readonly kind: 'not-leader'; readonly leader: NodeId | undefined }
  | { readonly kind: 'refused'; readonly because: string };

/**
 * Leadership to `target` (Raft thesis 3.10): stop taking proposals, bring the target up to date,
 * tell it to campaign at once. Given up after one election timeout, and a target that cannot win
 * costs no more than that.
 */
export function transferLeadership(core: CoreState, target: NodeId | undefined): TransferOutcome {
  if (core.role !== 'leader') return { kind: 'not-leader', leader: core.leader };
  const chosen = target ?? bestFollower(core);
  if (chosen === undefined) return refused('there is no other voter');
  if (chosen === core.id) return refused(`node ${chosen} is the leader already`);
  if (core.membership.removed.includes(chosen)) return refused(`node ${chosen} was removed`);
  if (!isVoter(core.membership, chosen)) return refused(`node ${chosen} is no voter`);
  if (core.transferee === chosen) return { kind: 'started', target: chosen };
  core.transferee = chosen;
  core.timeoutNowSent = false;
  // The whole of an election timeout is the target's, from now.
  core.electionElapsed = 0;
  const progress = core.progress.get(chosen);
  if (progress !== undefined) progress.wantsProbe = true;
  core.replicationDue = true;
  targetCaughtUp(core, chosen);
  return { kind: 'started', target: chosen };
}

const refused = (because: string): TransferOutcome => ({ kind: 'refused', because });

/** The voter that is furthest along, one that was heard from if there is any. */
function bestFollower(core: CoreState): NodeId | undefined {
  let best: NodeId | undefined;
  for (const [node, progress] of core.progress) {
    if (!isVoter(core.membership, node)) continue;
    const other = best === undefined ? undefined : core.progress.get(best);
    const better =
      other === undefined ||
      (progress.recentlyActive !== other.recentlyActive
        ? progress.recentlyActive
        : progress.match > other.match);
    if (better) best = node;
  }
  return best;
}

/** Tells the target to campaign when it has every entry: else it could not win. Once a transfer. */
export function targetCaughtUp(core: CoreState, node: NodeId): void {
  if (core.transferee !== node || core.timeoutNowSent) return;
  if (core.progress.get(node)?.match !== core.log.lastIndex()) return;
  core.timeoutNowSent = true;
  core.lease.bar();
  core.say({ kind: 'timeout-now', from: core.id, to: node, term: core.term });
}

/** Proposals are taken again. The target may still win: then this node follows it. */
export function abortTransfer(core: CoreState): void {
  core.transferee = undefined;
  core.timeoutNowSent = false;
}
