import type { LogIndex, Membership, NodeId } from './message.ts';
import { quorumValue } from './quorum.ts';

/** Who asked: a caller here, or a follower that forwarded its own callers' question. */
export interface ReadRequest {
  readonly from: NodeId;
  readonly context: number;
}

interface Round {
  readonly number: number;
  readonly index: LogIndex;
  readonly requests: readonly ReadRequest[];
}

export interface ConfirmedRead extends ReadRequest {
  readonly index: LogIndex;
}

/** Reads that may wait at once for a leader's confirmation; more are failed at once. */
export const READS_WAITING_MAX = 65_536;

/**
 * The leader's side of ReadIndex (Raft thesis 6.4). Requests wait, then share a round: its number
 * goes out as the context of heartbeats, and when a majority has answered with that number or a
 * later one, this leader was still the leader after every request of the round had arrived.
 *
 * Rounds are counted here and never taken from a caller: a caller's retried id, met by an answer
 * to its first try, would release a read on a stale leader (etcd #20418).
 */
export class ReadRounds {
  /** Never starts again, whatever the term. */
  #number = 0;
  #waiting: ReadRequest[] = [];
  #rounds: Round[] = [];
  #acked = new Map<NodeId, number>();
  #unconfirmed = 0;
  #isAsked = false;

  /** @returns false when too many wait already. */
  add(request: ReadRequest): boolean {
    if (this.#waiting.length + this.#unconfirmed >= READS_WAITING_MAX) return false;
    this.#waiting.push(request);
    return true;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** The last round that was begun. */
  get number(): number {
    return this.#number;
  }

  /** The round that heartbeats ask for now; 0 for none. */
  get current(): number {
    return this.#rounds.length > 0 || this.#isAsked ? this.#number : 0;
  }

  /** A round without reads: its answers renew a lease. From now on there always is one. */
  renew(): void {
    this.#number += 1;
    this.#isAsked = true;
  }

  /** What waits needs no round. */
  takeWaiting(): readonly ReadRequest[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  /**
   * Everything that waits becomes one round.
   *
   * @param commit the commit index now, known to cover all earlier terms: an entry of this
   *   leader's own term is committed.
   */
  open(commit: LogIndex): void {
    this.#number += 1;
    this.#rounds.push({ number: this.#number, index: commit, requests: this.#waiting });
    this.#unconfirmed += this.#waiting.length;
    this.#waiting = [];
  }

  acknowledge(node: NodeId, round: number): void {
    if (round > (this.#acked.get(node) ?? 0)) this.#acked.set(node, round);
  }

  /** Takes out the reads of all rounds that a majority of voters has confirmed. */
  confirmed(self: NodeId, membership: Membership): readonly ConfirmedRead[] {
    if (this.#rounds.length === 0) return [];
    const acked = membership.voters.map((voter) =>
      voter === self ? this.#number : (this.#acked.get(voter) ?? 0),
    );
    const upTo = quorumValue(acked);
    const out: ConfirmedRead[] = [];
    let done = 0;
    for (const round of this.#rounds) {
      if (round.number > upTo) break;
      done += 1;
      this.#unconfirmed -= round.requests.length;
      for (const request of round.requests) out.push({ ...request, index: round.index });
    }
    this.#rounds.splice(0, done);
    return out;
  }

  /** Leadership ended: what was asked and not answered. */
  abandon(): readonly ReadRequest[] {
    const lost = [...this.#rounds.flatMap((round) => round.requests), ...this.#waiting];
    this.#waiting = [];
    this.#rounds = [];
    this.#unconfirmed = 0;
    this.#acked.clear();
    return lost;
  }
}

interface Forwarded {
  readonly contexts: readonly number[];
  ticksLeft: number;
}

/** A follower's side: its callers' reads, sent to the leader under a number of this node's own. */
export class ForwardedReads {
  #next: number;
  #waiting: number[] = [];
  readonly #asked = new Map<number, Forwarded>();
  #count = 0;

  /**
   * @param first where to count from; drawn at random, so that an answer to a question of this
   *   node's last life fits none of this one's.
   */
  constructor(first: number) {
    this.#next = first;
  }

  /** @returns false when too many wait already. */
  add(context: number): boolean {
    if (this.#count >= READS_WAITING_MAX) return false;
    this.#count += 1;
    this.#waiting.push(context);
    return true;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Everything that waits becomes one question. @returns its number. */
  ask(ticks: number): number {
    const question = this.#next;
    this.#next += 1;
    this.#asked.set(question, { contexts: this.#waiting, ticksLeft: ticks });
    this.#waiting = [];
    return question;
  }

  /** @returns the callers' contexts; none for a question that is not open. */
  answered(question: number): readonly number[] {
    const contexts = this.#asked.get(question)?.contexts ?? [];
    this.#asked.delete(question);
    this.#count -= contexts.length;
    return contexts;
  }

  /** @returns contexts whose question went unanswered for too long. */
  tick(): readonly number[] {
    const expired: number[] = [];
    for (const [question, asked] of this.#asked) {
      asked.ticksLeft -= 1;
      if (asked.ticksLeft <= 0) expired.push(...this.answered(question));
    }
    return expired;
  }

  abandon(): readonly number[] {
    const lost = [...this.#asked.values()].flatMap((asked) => asked.contexts);
    lost.push(...this.#waiting);
    this.#asked.clear();
    this.#waiting = [];
    this.#count = 0;
    return lost;
  }
}
