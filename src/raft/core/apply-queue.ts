import { invariant } from '../../lib/index.ts';
import { entriesBytes } from './entry.ts';
import { touchesMembership } from './membership.ts';
import type { Entry, LogIndex } from './message.ts';

interface Handed {
  readonly last: LogIndex;
  readonly bytes: number;
}

/** Committed entries on their way through the state machine, bounded in bytes. */
export class ApplyQueue {
  readonly #bytesMax: number;
  #handed: Handed[] = [];
  #bytes = 0;
  #changes: Entry[] = [];
  #applied: LogIndex;
  #applying: LogIndex;

  constructor(applied: LogIndex, bytesMax: number) {
    this.#applied = applied;
    this.#applying = applied;
    this.#bytesMax = bytesMax;
  }

  /** Effects of everything up to here are in the state machine. */
  get applied(): LogIndex {
    return this.#applied;
  }

  /** Everything up to here was handed out. Invariant: `applied <= applying <= commit`. */
  get applying(): LogIndex {
    return this.#applying;
  }

  /** Bytes that may be handed out now; 0 while too much is unacknowledged. */
  get budget(): number {
    return Math.max(0, this.#bytesMax - this.#bytes);
  }

  hand(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    const bytes = entriesBytes(entries);
    this.#handed.push({ last: last.index, bytes });
    this.#bytes += bytes;
    for (const entry of entries) {
      invariant(entry.index === this.#applying + 1, 'An entry would be applied out of order', {
        index: entry.index,
        applying: this.#applying,
      });
      this.#applying = entry.index;
      if (touchesMembership(entry)) this.#changes.push(entry);
    }
  }

  /** @returns the entries that took effect with this and may change who counts, in order. */
  appliedTo(index: LogIndex): readonly Entry[] {
    if (index <= this.#applied) return [];
    invariant(index <= this.#applying, 'Applied more than was handed out', {
      index,
      applying: this.#applying,
    });
    this.#applied = index;
    while (this.#handed[0] !== undefined && this.#handed[0].last <= index) {
      this.#bytes -= this.#handed.shift()?.bytes ?? 0;
    }
    const done = this.#changes.filter((change) => change.index <= index);
    this.#changes = this.#changes.slice(done.length);
    return done;
  }

  /** A snapshot brings its own membership: changes on their way are part of it. */
  forgetChanges(): void {
    this.#changes = [];
  }

  /** A snapshot stands for everything up to `index`. */
  restored(index: LogIndex): void {
    this.#applied = Math.max(this.#applied, index) as LogIndex;
    this.#applying = Math.max(this.#applying, index) as LogIndex;
    this.#handed = [];
    this.#bytes = 0;
    this.#changes = [];
  }
}
