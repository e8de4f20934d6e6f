import type { LogIndex } from './message.ts';

/**
 * How much of the commit index would survive a power cut. Most of it need not: a node that forgets
 * how far it committed is told again. Not so before a change of membership takes effect. Whoever it
 * takes out of the majority neither campaigns nor may still be there to tell; if those who stay
 * forgot that the change is committed, they would wait for a majority of the old membership for ever.
 *
 * So a node applies a change only when it cannot forget that it may, and a leader does not tell
 * others that it is committed before the same holds for the leader.
 */
export class DurableCommit {
  #index: LogIndex;
  /** A write that is on its way, or done, makes the commit index durable up to here. */
  #asked: LogIndex;
  /** The change that waits to be applied; everything before it may be. */
  #held: LogIndex | undefined;

  constructor(index: LogIndex) {
    this.#index = index;
    this.#asked = index;
  }

  get index(): LogIndex {
    return this.#index;
  }

  get held(): LogIndex | undefined {
    return this.#held;
  }

  /** The change at `change` is committed, and must not be applied yet. */
  hold(change: LogIndex): void {
    this.#held = change;
  }

  /** Whether nothing on its way makes `index` durable. */
  isMissing(index: LogIndex): boolean {
    return index > this.#asked;
  }

  /** A synced write that was handed out carries this commit index. */
  asked(commit: LogIndex): void {
    if (commit > this.#asked) this.#asked = commit;
  }

  /** Such a write is done. @returns whether this is news. */
  written(commit: LogIndex): boolean {
    if (commit <= this.#index) return false;
    this.#index = commit;
    if (this.#held !== undefined && this.#held <= commit) this.#held = undefined;
    return true;
  }
}
