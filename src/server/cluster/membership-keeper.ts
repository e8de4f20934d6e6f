import { type Clock, hasCode, type Timer } from '../../lib/index.ts';
import type { MembershipChange, NodeId, RaftNode, RaftStatus } from '../../raft/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import type { Member } from './member.ts';
import { encodeMember } from './members.ts';

const PASS_MS = 200;

/**
 * Brings the Raft configuration to what the member records ask for, one change at a time, on
 * whichever node leads. The records say what is wanted, so a change that a fail-over interrupts is
 * taken up by the next leader.
 */
export class MembershipKeeper implements Disposable {
  readonly #raft: RaftNode;
  readonly #members: () => readonly Member[];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #unsubscribe: () => void;
  #timer: Timer | undefined;
  #busy = false;
  #stopped = false;
  /** The commit index at the former pass: who has it now has caught up within one (thesis 4.2.1). */
  #commitBefore = Number.MAX_SAFE_INTEGER;

  constructor(options: {
    readonly raft: RaftNode;
    readonly members: () => readonly Member[];
    readonly clock: Clock;
    readonly log: Logger;
  }) {
    this.#raft = options.raft;
    this.#members = options.members;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#unsubscribe = options.raft.onStatusChange(() => this.#schedule(0));
    this.#schedule(0);
  }

  /** Looks again soon: call it when member records changed. */
  nudge(): void {
    this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => void this.#pass());
  }

  async #pass(): Promise<void> {
    if (this.#busy || this.#stopped) return;
    const status = this.#raft.status();
    if (status.role !== 'leader') {
      this.#commitBefore = Number.MAX_SAFE_INTEGER;
      return;
    }
    this.#busy = true;
    try {
      const change = nextChange(status, this.#members(), this.#commitBefore);
      this.#commitBefore = status.commit;
      if (change !== undefined) {
        this.#log.info({ change: change.kind, member: change.node }, 'Changing the membership');
        await this.#raft.changeMembership(change);
      }
    } catch (error) {
      // A change that was refused or lost with the leadership is asked for again at the next pass.
      if (!hasCode(error, 'raft.membership-refused', 'raft.not-leader', 'raft.outcome-unknown'))
        this.#log.warn({ error: String(error) }, 'A membership change failed');
    } finally {
      this.#busy = false;
    }
    this.#schedule(PASS_MS);
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#unsubscribe();
  }
}

/** The next single change that brings `status.membership` closer to what the members ask for. */
export function nextChange(
  status: Pick<RaftStatus, 'membership' | 'peers' | 'node'>,
  members: readonly Member[],
  caughtUpAt: number,
): MembershipChange | undefined {
  const { voters, learners, removed } = status.membership;
  // Before the first record there is nothing to go by.
  if (members.length === 0) return undefined;
  const wanted = new Map(members.map((member) => [member.node, member]));
  for (const member of members) {
    const node = member.node as NodeId;
    if (member.kind === 'replica' || removed.includes(node)) continue;
    if (!voters.includes(node) && !learners.includes(node))
      return { kind: 'add-learner', node, context: encodeMember(member) };
    if (member.kind === 'learner' && voters.includes(node) && node !== status.node)
      return { kind: 'demote', node };
    if (member.kind === 'voter' && learners.includes(node)) {
      const peer = status.peers.find((one) => one.node === node);
      if (peer?.recentlyActive && peer.state === 'replicate' && peer.match >= caughtUpAt)
        return { kind: 'promote', node };
    }
  }
  const gone = [...voters, ...learners].find((node) => !wanted.has(node) && node !== status.node);
  if (gone === undefined) return undefined;
  // It loses its vote first, and ends only when the others know that: see `sealChange`.
  return { kind: voters.includes(gone) ? 'demote' : 'remove', node: gone };
}
