import type { CoreState } from './core-state.ts';
import { isMember } from './membership.ts';
import type { Message } from './message.ts';
import { sendHeartbeats } from './replication.ts';

/** A caller here wants an index that a linearizable read must see applied (Raft thesis 6.4). */
export function readIndex(core: CoreState, context: number): void {
  const taken =
    core.role === 'leader'
      ? core.rounds.add({ from: core.id, context })
      : core.leader !== undefined && core.forwarded.add(context);
  if (!taken) core.failedReads.push(context);
}

/** A follower asks. An overloaded leader stays silent: the follower gives up after a while. */
export function handleReadIndex(
  core: CoreState,
  message: Extract<Message, { kind: 'read-index' }>,
): void {
  if (core.role !== 'leader' || !isMember(core.membership, message.from)) return;
  core.rounds.add({ from: message.from, context: message.context });
}

export function handleReadIndexResponse(
  core: CoreState,
  message: Extract<Message, { kind: 'read-index-response' }>,
): void {
  if (message.from !== core.leader) return;
  const contexts = core.forwarded.answered(message.context);
  core.reads.push(...contexts.map((context) => ({ context, index: message.index })));
}

/**
 * All reads that came since the last `Ready` share one round. A new leader's wait until an entry
 * of its own term is committed: before that its commit index may lie behind the last leader's.
 */
export function flushReads(core: CoreState): void {
  if (core.role === 'leader') {
    if (core.rounds.hasWaiting && core.committedInOwnTerm) {
      core.rounds.open(core.commit);
      sendHeartbeats(core);
    }
    releaseReads(core);
    return;
  }
  if (core.forwarded.hasWaiting && core.leader !== undefined) {
    const context = core.forwarded.ask(core.options.electionTicks);
    const { id: from, leader: to, term } = core;
    core.say({ kind: 'read-index', from, to, term, context });
  }
}

function releaseReads(core: CoreState): void {
  for (const read of core.rounds.confirmed(core.id, core.membership)) {
    const { context, index } = read;
    if (read.from === core.id) core.reads.push({ context, index });
    else {
      const { id: from, term } = core;
      core.say({ kind: 'read-index-response', from, to: read.from, term, context, index });
    }
  }
}
