import { invariant } from '../../../lib/index.ts';
import type { Entry, LogIndex, Term } from '../../core/index.ts';

/** What an entry costs in memory beside its data, roughly. */
const ENTRY_OVERHEAD_BYTES = 96;

interface TermRun {
  readonly from: LogIndex;
  readonly term: Term;
}

/**
 * The log as it is known in memory: the term of every entry, and the entries themselves from
 * `heldFrom` on. Older ones are let go when they take more than the budget.
 */
export class EntryWindow {
  #baseIndex: LogIndex;
  #baseTerm: Term;
  /** Entries from `#heldFrom` on; the first `#head` slots are empty and cut away now and then. */
  #slots: (Entry | undefined)[] = [];
  #head = 0;
  #heldFrom: LogIndex;
  #heldBytes = 0;
  #terms: TermRun[] = [];

  constructor(baseIndex: LogIndex, baseTerm: Term) {
    this.#baseIndex = baseIndex;
    this.#baseTerm = baseTerm;
    this.#heldFrom = (baseIndex + 1) as LogIndex;
  }

  get baseIndex(): LogIndex {
    return this.#baseIndex;
  }

  get heldFrom(): LogIndex {
    return this.#heldFrom;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get lastIndex(): LogIndex {
    return (this.#heldFrom + this.#slots.length - this.#head - 1) as LogIndex;
  }

  termOf(index: LogIndex): Term | undefined {
    if (index === this.#baseIndex) return this.#baseTerm;
    if (index < this.#baseIndex || index > this.lastIndex) return undefined;
    let low = 0;
    let high = this.#terms.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#terms[middle]?.from ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return this.#terms[low]?.term;
  }

  /** Replaces everything from the first of `entries` on. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    this.#truncateFrom(first.index);
    for (const entry of entries) {
      invariant(entry.index === this.lastIndex + 1, 'A gap in the log', {
        index: entry.index,
        lastIndex: this.lastIndex,
      });
      this.#slots.push(entry);
      this.#heldBytes += costOf(entry);
      const run = this.#terms.at(-1);
      invariant(run === undefined || run.term <= entry.term, 'Terms go back in the log', {
        index: entry.index,
        term: entry.term,
      });
      if (run?.term !== entry.term) this.#terms.push({ from: entry.index, term: entry.term });
    }
  }

  /** Entries in `[from, to)` within `bytesMax`, at least one; `undefined` when not held. */
  slice(from: LogIndex, to: LogIndex, bytesMax: number): readonly Entry[] | undefined {
    if (from < this.#heldFrom) return undefined;
    const out: Entry[] = [];
    const end = Math.min(to, this.lastIndex + 1);
    let bytes = 0;
    for (let index = from; index < end; index++) {
      const entry = this.#slots[this.#head + index - this.#heldFrom];
      if (entry === undefined) break;
      bytes += entry.data.length;
      if (out.length > 0 && bytes > bytesMax) break;
      out.push(entry);
    }
    return out;
  }

  /** Lets go of entries up to `index` while more than `bytesMax` are held. */
  evict(index: LogIndex, bytesMax: number): void {
    while (this.#heldBytes > bytesMax && this.#heldFrom <= index) {
      const entry = this.#slots[this.#head];
      if (entry === undefined) return;
      this.#slots[this.#head] = undefined;
      this.#head += 1;
      this.#heldFrom = (this.#heldFrom + 1) as LogIndex;
      this.#heldBytes -= costOf(entry);
    }
    if (this.#head > 1024 && this.#head * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Forgets everything up to `index`: it becomes the base. */
  compact(index: LogIndex): void {
    if (index <= this.#baseIndex) return;
    const term = this.termOf(index);
    invariant(term !== undefined, 'Compacting past the end of the log', {
      index,
      lastIndex: this.lastIndex,
    });
    this.evict(index, -1);
    this.#baseIndex = index;
    this.#baseTerm = term;
    let keep = 0;
    while ((this.#terms[keep + 1]?.from ?? Number.MAX_SAFE_INTEGER) <= index + 1) keep += 1;
    this.#terms = this.#terms.slice(keep);
  }

  /**
   * Forgets everything from `index` on, held or not. For replaying a log only, where an entry that
   * was let go already can turn out to have been replaced.
   */
  cutFrom(index: LogIndex): void {
    if (index >= this.#heldFrom) {
      this.#truncateFrom(index);
      return;
    }
    invariant(index > this.#baseIndex, 'Cutting below the base of the log', {
      index,
      baseIndex: this.#baseIndex,
    });
    this.#slots = [];
    this.#head = 0;
    this.#heldBytes = 0;
    this.#heldFrom = index;
    while ((this.#terms.at(-1)?.from ?? 0) >= index) this.#terms.pop();
  }

  /** Fills in the term of the entry before the first, where the segments do not tell it. */
  learnBaseTerm(term: Term): void {
    this.#baseTerm = term;
  }

  /** Starts over after a snapshot. */
  reset(index: LogIndex, term: Term): void {
    this.#baseIndex = index;
    this.#baseTerm = term;
    this.#slots = [];
    this.#head = 0;
    this.#heldFrom = (index + 1) as LogIndex;
    this.#heldBytes = 0;
    this.#terms = [];
  }

  #truncateFrom(index: LogIndex): void {
    invariant(index >= this.#heldFrom, 'Replacing entries that are settled', {
      index,
      heldFrom: this.#heldFrom,
    });
    while (this.lastIndex >= index) {
      const entry = this.#slots.pop();
      if (entry !== undefined) this.#heldBytes -= costOf(entry);
    }
    while ((this.#terms.at(-1)?.from ?? 0) >= index) this.#terms.pop();
  }
}

function costOf(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES;
}
