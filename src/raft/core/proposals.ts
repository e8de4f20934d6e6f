import type { CoreState } from './core-state.ts';
import { encodeMembershipChange, isVoter, whyImpossible } from './membership.ts';
import type { LogIndex, MembershipChange, NodeId, Term } from './message.ts';
import { APPLY_BACKLOG_MAX } from './options.ts';
import { appendOwn } from './replication.ts';
import { traceChange } from './trace.ts';

export type ProposeOutcome =
  | {
      readonly kind: 'accepted';
      readonly first: LogIndex;
      readonly last: LogIndex;
      readonly term: Term;
    }
  | { readonly kind: 'not-leader'; readonly leader: NodeId | undefined }
  /** Too much is uncommitted or unapplied: certainly not appended, try again later. */
  | { readonly kind: 'overloaded' }
  /** Leadership is being handed over: certainly not appended, ask the next leader. */
  | { readonly kind: 'transferring' };

export type MembershipOutcome =
  | ProposeOutcome
  | { readonly kind: 'refused'; readonly because: string };

/** The share of the leader's log that a learner must hold before it may become a voter. */
const CAUGHT_UP_PERCENT = 90;

type Refusal = Exclude<ProposeOutcome, { kind: 'accepted' }>;

function whyNot(core: CoreState): Refusal | undefined {
  if (core.role !== 'leader') return { kind: 'not-leader', leader: core.leader };
  if (core.transferee !== undefined) return { kind: 'transferring' };
  return undefined;
}

/** Appends one command entry for each of `data`, all or none. An empty list appends nothing. */
export function propose(core: CoreState, data: readonly Uint8Array[]): ProposeOutcome {
  const refusal = whyNot(core);
  if (refusal !== undefined) return refusal;
  let bytes = 0;
  for (const payload of data) bytes += payload.byteLength;
  if (!core.uncommitted.hasRoomFor(bytes)) return { kind: 'overloaded' };
  if (core.commit - core.apply.applied > APPLY_BACKLOG_MAX) return { kind: 'overloaded' };
  if (core.options.trace !== undefined) for (const _ of data) core.trace('Replicate');
  const { first, last } = appendOwn(core, 'command', data);
  core.uncommitted.add(last, bytes);
  return { kind: 'accepted', first, last, term: core.term };
}

/** Raft thesis 4.1, one node at a time, with the guards that make it safe. */
export function proposeMembership(core: CoreState, change: MembershipChange): MembershipOutcome {
  const refusal = whyNot(core);
  if (refusal !== undefined) return refusal;
  const because = whyRefused(core, change);
  if (because !== undefined) return { kind: 'refused', because };
  core.trace('ChangeConf', { prop: { cc: traceChange(change) } });
  const { first, last } = appendOwn(core, 'membership', [encodeMembershipChange(change)]);
  core.pendingChangeIndex = last;
  return { kind: 'accepted', first, last, term: core.term };
}

/**
 * A leader that applied a change which took a vote away says so in an entry of its own. Whoever
 * holds that entry got it together with the news that the change is committed; so once it is
 * committed, a majority of those who still count knows that they are those, and goes on knowing.
 * Before that the one that was taken out may have to help to elect: with four voters of which one
 * was taken out, the leader lost before it told anyone, and the seal missing, the two others that
 * are left would wait for three votes of four.
 */
export function sealChange(core: CoreState): void {
  core.trace('Replicate');
  core.pendingChangeIndex = appendOwn(core, 'empty', [new Uint8Array()]).last;
}

/** This node leads, and a majority of those who count knows for good that they do. */
export function isSettled(core: CoreState): boolean {
  return core.role === 'leader' && core.pendingChangeIndex <= core.apply.applied;
}

function whyRefused(core: CoreState, change: MembershipChange): string | undefined {
  // Two leaders that each change the membership before committing anything of their own can end
  // with majorities that do not meet (Ongaro, raft-dev 2015).
  if (!core.committedInOwnTerm) return 'this leader has not committed an entry of its term yet';
  if (!isSettled(core)) {
    return `the change up to index ${core.pendingChangeIndex} is not applied yet`;
  }
  const impossible = whyImpossible(core.membership, change);
  if (impossible !== undefined) return impossible;
  const { kind, node } = change;
  if (kind === 'demote' && node === core.id) {
    // It would have to step down before it can seal the change.
    return `node ${node} leads: transfer leadership first`;
  }
  if (kind === 'remove' && isVoter(core.membership, node)) {
    // Who is removed ends, and gives no vote. It must not end before others know that theirs do.
    return `node ${node} is a voter: demote it first`;
  }
  return change.kind === 'promote' ? whyNotPromote(core, change.node) : undefined;
}

/** A voter that is far behind, or down, takes part in majorities without helping them. */
function whyNotPromote(core: CoreState, node: NodeId): string | undefined {
  const progress = core.progress.get(node);
  if (progress === undefined || !progress.recentlyActive) return `node ${node} was not heard from`;
  if (!progress.givesVotes) return `node ${node} is being caught up and gives no votes yet`;
  const needed = Math.floor((core.log.lastIndex() * CAUGHT_UP_PERCENT) / 100);
  if (progress.match >= needed) return undefined;
  return `node ${node} holds ${progress.match} of ${core.log.lastIndex()} entries, it needs ${needed}`;
}
