import type { Membership, NodeId } from './message.ts';
import { quorumValue } from './quorum.ts';

/** With it a leader answers reads from a lease; every node with it makes the promise behind one. */
export interface LeaseOptions {
  /**
   * For how long, at least and by this node's clock, it gives no vote to anyone but the leader from
   * which it heard. Not longer than `electionTicks - 1` ticks take: the first may follow at once.
   */
  readonly promiseMs: number;
  /** What a leader counts on of a promise, below 1 by as much as clocks may differ in pace. */
  readonly share: number;
}

interface Sent {
  readonly round: number;
  readonly atMs: number;
}

/** Rounds whose time of sending is kept; the answer to an older one proves nothing. */
const ROUNDS_KEPT = 256;

/**
 * A leader's side of lease reads (Raft thesis 6.4.1): while a majority has promised to vote for
 * nobody else, there is no other leader, and a read needs no round of its own.
 *
 * A promise is counted from when its question was *sent*, which is before the peer gave it. It is
 * the peer's to say how long it lasts, so that nodes may be configured one after another.
 */
export class LeaderLease {
  readonly #share: number;
  #sent: Sent[] = [];
  readonly #until = new Map<NodeId, number>();
  #isBarred = false;

  constructor(options: LeaseOptions | undefined) {
    this.#share = options?.share ?? 0;
  }

  /** Heartbeats of `round` leave after `nowMs`. */
  sent(round: number, nowMs: number): void {
    const last = this.#sent.at(-1);
    if (last !== undefined && last.round >= round) return;
    this.#sent.push({ round, atMs: nowMs });
    if (this.#sent.length > ROUNDS_KEPT) this.#sent.shift();
  }

  /** `node` answered a heartbeat of `round`, and promised silence for `promiseMs`. */
  acknowledged(node: NodeId, round: number, promiseMs: number): void {
    // A round of which no time is known was sent after the last one before it of which it is.
    const sent = this.#sent.findLast((known) => known.round <= round);
    if (sent === undefined) return;
    const until = sent.atMs + promiseMs * this.#share;
    if (until > (this.#until.get(node) ?? 0)) this.#until.set(node, until);
  }

  /** Whether nobody else can be elected before `nowMs` is over. */
  holds(self: NodeId, membership: Membership, nowMs: number): boolean {
    if (this.#isBarred) return false;
    const promised = membership.voters.map((voter) =>
      voter === self ? Number.POSITIVE_INFINITY : (this.#until.get(voter) ?? 0),
    );
    return nowMs < quorumValue(promised);
  }

  /** Someone was told to campaign at once, and voters answer it: no more leases in this term. */
  bar(): void {
    this.#isBarred = true;
  }

  forget(node: NodeId): void {
    this.#until.delete(node);
  }

  /** A new term or role: whatever was promised was promised to another leadership. */
  reset(): void {
    this.#sent = [];
    this.#until.clear();
    this.#isBarred = false;
  }
}

/**
 * A voter's side: the promise itself. Unlike stickiness it outlives what makes a node forget its
 * leader: a later term that it hears of by chance, and its own restart.
 */
export class VoteSilence {
  readonly #ticks: number;
  #left: number;
  #leader: NodeId | undefined;

  /**
   * @param ticks what a leader that is heard from is promised; 0 for nothing.
   * @param left what is left, at most, of the promises of former processes of this node.
   */
  constructor(ticks: number, left: number) {
    this.#ticks = ticks;
    this.#left = left;
  }

  heard(leader: NodeId): void {
    this.#leader = leader;
    this.#left = Math.max(this.#left, this.#ticks);
  }

  tick(): void {
    if (this.#left > 0) this.#left -= 1;
  }

  /**
   * A leader that asks for votes leads no more, and needs no promise. Nor does one that hands over:
   * it gave up its leases before it sent the candidate.
   */
  forbids(request: { readonly from: NodeId; readonly transfer: boolean }): boolean {
    return this.#left > 0 && !request.transfer && request.from !== this.#leader;
  }
}
