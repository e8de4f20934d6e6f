import type { CoreState } from './core-state.ts';
import type { LogIndex, Message, NodeId, Term } from './message.ts';

type Append = Extract<Message, { kind: 'append' }>;
type Heartbeat = Extract<Message, { kind: 'heartbeat' }>;
type Snapshot = Extract<Message, { kind: 'snapshot' }>;

function accept(core: CoreState, to: NodeId, index: LogIndex): void {
  respond(core, to, { index, reject: false, hintIndex: 0 as LogIndex, hintTerm: 0 as Term });
}

function respond(
  core: CoreState,
  to: NodeId,
  answer: {
    readonly index: LogIndex;
    readonly reject: boolean;
    readonly hintIndex: LogIndex;
    readonly hintTerm: Term;
  },
): void {
  const { id, term } = core;
  core.sayAfterPersist({ kind: 'append-response', from: id, to, term, ...answer });
}

/** Raft 5.3, with the hint of its last part: the leader skips a whole term at a time. */
export function handleAppend(core: CoreState, message: Append): void {
  const { from, prevIndex, prevTerm, entries } = message;
  if (prevIndex < core.commit) {
    // An old one, out of order. What is committed matches; the rest will come again.
    accept(core, from, core.commit);
    return;
  }
  if (!core.log.hasEntry(prevIndex, prevTerm)) {
    const below = Math.min(prevIndex, core.log.lastIndex()) as LogIndex;
    const hint = core.log.lastIndexAtOrBelowTerm(below, prevTerm);
    respond(core, from, {
      index: prevIndex,
      reject: true,
      hintIndex: hint.index,
      hintTerm: hint.term,
    });
    return;
  }
  // Only what differs is replaced: an old, shorter append must not cut what came after it.
  const firstNew = core.log.firstNew(entries);
  if (firstNew !== undefined) core.log.put(entries.slice(firstNew), core.commit);
  const last = (prevIndex + entries.length) as LogIndex;
  // Not beyond what this append vouches for: this node's own tail may be another leader's.
  core.commitTo(Math.min(message.commit, last) as LogIndex);
  accept(core, from, last);
}

export function handleHeartbeat(core: CoreState, message: Heartbeat): void {
  if (message.commit > core.log.lastIndex()) {
    // The leader never names more than this node acknowledged. So it acknowledged it, and lost it.
    core.logLost = true;
  } else {
    core.commitTo(message.commit);
  }
  core.say({
    kind: 'heartbeat-response',
    from: core.id,
    to: message.from,
    term: core.term,
    context: message.context,
    ...(core.options.lease === undefined ? {} : { promiseMs: core.options.lease.promiseMs }),
  });
}

/** No caller's question has it. */
const NO_QUESTION = 0;

/**
 * A node that has no vote and hears from no leader says that it is there, to whom it knows: it never
 * asks for a vote, so nobody could tell it otherwise that it was removed. It asks for a read index
 * that nobody waits for: that changes nothing anywhere.
 */
export function saySignOfLife(core: CoreState): void {
  for (const to of core.membership.voters) {
    core.say({ kind: 'read-index', from: core.id, to, term: core.term, context: NO_QUESTION });
  }
}

/** The driver steps this message only when it holds the whole snapshot, verified. */
export function handleSnapshot(core: CoreState, message: Snapshot): void {
  const { from, meta } = message;
  if (meta.index <= core.commit) {
    accept(core, from, core.commit);
    return;
  }
  if (core.log.hasEntry(meta.index, meta.term)) {
    // The log holds all that the snapshot stands for: keep it, and what comes after (etcd #1763).
    core.commitTo(meta.index);
    accept(core, from, core.commit);
    return;
  }
  core.log.restore(meta);
  core.apply.forgetChanges();
  core.commit = meta.index;
  core.membership = meta.membership;
  core.removed ||= meta.membership.removed.includes(core.id);
  core.rebuildProgress();
  accept(core, from, meta.index);
}
