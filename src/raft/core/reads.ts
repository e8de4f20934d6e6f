import type { CoreState } from './core-state.ts';
import { isMember } from './membership.ts';
import type { Message } from './message.ts';
import type { ConfirmedRead } from './read-index.ts';
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
 * All reads that came since the last `Ready` share one round, or a lease that holds now. A new
 * leader's wait until an entry of its own term is committed: before that its commit index may lie
 * behind the last leader's.
 */
export function flushReads(core: CoreState, nowMs: number | undefined): void {
  if (core.role === 'leader') {
    if (core.rounds.hasWaiting && core.committedInOwnTerm) {
      if (nowMs !== undefined && core.lease.holds(core.id, core.membership, nowMs)) {
        for (const request of core.rounds.takeWaiting()) {
          release(core, { ...request, index: core.commit });
        }
      } else {
        core.rounds.open(core.commit);
        sendHeartbeats(core);
      }
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
  for (const read of core.rounds.confirmed(core.id, core.membership)) release(core, read);
}

function release(core: CoreState, { from: to, context, index }: ConfirmedRead): void {
  const { id: from, term } = core;
  if (to === from) core.reads.push({ context, index });
  else core.say({ kind: 'read-index-response', from, to, term, context, index });
}
