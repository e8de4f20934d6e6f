import { invariant } from '../../lib/index.ts';
import { Inflights } from './inflights.ts';
import type { LogIndex } from './message.ts';

/**
 * `probe`: one append a round, to find where the logs agree. `replicate`: pipelined appends.
 * `snapshot`: nothing until the peer has one.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot';

/**
 * What the leader knows of one peer (after etcd's tracker.Progress).
 *
 * Invariant: `match < next`; everything between is in flight, or guessed while probing.
 */
export class Progress {
  readonly inflights: Inflights;
  state: ProgressState = 'probe';
  match: LogIndex;
  next: LogIndex;
  /** Heard from lately: see `tick`. */
  recentlyActive = false;
  #quietTicks = 0;
  /** It said that it votes when it is asked: not known before its first heartbeat's answer. */
  givesVotes = false;
  /** An append was sent and is not answered: no other until an answer or a heartbeat's answer. */
  paused = false;
  /** Send an append at the next flush even if it carries no entry: a probe. */
  wantsProbe = false;
  /** The highest commit index that was sent. */
  commitSent: LogIndex;
  /** The snapshot on its way, 0 for none. */
  snapshotIndex: LogIndex;

  constructor(next: LogIndex, inflights: Inflights) {
    this.match = 0 as LogIndex;
    this.next = next;
    this.commitSent = 0 as LogIndex;
    this.snapshotIndex = 0 as LogIndex;
    this.inflights = inflights;
  }

  heard(): void {
    this.recentlyActive = true;
    this.#quietTicks = 0;
  }

  /** One tick of the leader has passed. @param quietTicksMax silence of so many is absence */
  tick(quietTicksMax: number): void {
    this.#quietTicks += 1;
    if (this.#quietTicks >= quietTicksMax) this.recentlyActive = false;
  }

  becomeProbe(): void {
    // What the peer may have got out of a snapshot whose end was not reported is worth a guess.
    const next = this.state === 'snapshot' ? Math.max(this.match, this.snapshotIndex) : this.match;
    this.#reset('probe');
    this.next = (next + 1) as LogIndex;
    this.commitSent = Math.min(this.commitSent, next) as LogIndex;
  }

  becomeReplicate(): void {
    this.#reset('replicate');
    this.next = (this.match + 1) as LogIndex;
  }

  becomeSnapshot(index: LogIndex): void {
    this.#reset('snapshot');
    this.snapshotIndex = index;
    this.next = (Math.max(index, this.match) + 1) as LogIndex;
    this.commitSent = index;
  }

  #reset(state: ProgressState): void {
    this.state = state;
    this.paused = false;
    this.snapshotIndex = 0 as LogIndex;
    this.inflights.clear();
  }

  /** Appends may not be sent now. */
  get blocked(): boolean {
    return this.state === 'snapshot' || this.paused;
  }

  sent(last: LogIndex, entries: number, bytes: number, commit: LogIndex): void {
    if (this.state === 'replicate') {
      if (entries > 0) {
        this.next = (last + 1) as LogIndex;
        this.inflights.add(last, bytes);
      }
      // A full window lets one empty append through a heartbeat, so that a lost window heals.
      this.paused = this.inflights.full;
    } else {
      this.paused = true;
    }
    this.commitSent = Math.max(this.commitSent, commit) as LogIndex;
    invariant(this.match < this.next, 'Progress ran backwards', {
      match: this.match,
      next: this.next,
    });
  }

  /** @returns whether the peer is further than was known. */
  acknowledge(index: LogIndex): boolean {
    const moved = index > this.match;
    if (moved) {
      this.match = index;
      this.paused = false;
    }
    // `next` never falls to `match` or below, whatever order answers come in (etcd raft #149).
    this.next = Math.max(this.next, index + 1) as LogIndex;
    return moved;
  }

  /**
   * The peer does not have what the append at `rejected` built on.
   *
   * @param guess the highest index at which the logs may agree.
   * @returns false for a stale rejection: a newer answer is known already.
   */
  reject(rejected: LogIndex, guess: LogIndex): boolean {
    if (rejected > 0 && rejected === this.match && this.next - 1 === rejected) {
      // Nothing is in flight, and the peer denies what it acknowledged: its disk was replaced. Its
      // word is taken back, else it could never be brought up again. A late copy of an old
      // rejection looks the same and costs a probe: a lower `match` only makes the leader careful.
      if (this.state === 'probe') {
        this.match = Math.min(guess, rejected - 1) as LogIndex;
        this.next = (this.match + 1) as LogIndex;
        this.paused = false;
      }
      return true;
    }
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.next = (this.match + 1) as LogIndex;
      return true;
    }
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, guess + 1), this.match + 1) as LogIndex;
    this.paused = false;
    return true;
  }
}
