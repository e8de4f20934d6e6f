import { invariant } from '../../lib/index.ts';
import { entryBytes } from './entry.ts';
import type { Entry, LogIndex, SnapshotMeta, Term } from './message.ts';
import type { LogReader } from './ready.ts';

/**
 * The whole log as the core sees it: what is durable, through the reader, and on top of it the
 * unstable tail (entries and at most one snapshot that no storage receipt has covered yet). The
 * tail masks the reader, so entries that a conflict replaced are never read back.
 */
export class LogView {
  readonly #reader: LogReader;
  #snapshot: SnapshotMeta | undefined;
  #snapshotTaken = false;
  #tail: Entry[] = [];
  /** Index of the first tail entry; all below is durable or in the unstable snapshot. */
  #offset: number;
  /** Index of the first tail entry that no `Ready` carried yet. */
  #untaken: number;

  constructor(reader: LogReader) {
    this.#reader = reader;
    this.#offset = reader.lastIndex() + 1;
    this.#untaken = this.#offset;
  }

  firstIndex(): LogIndex {
    return this.#snapshot === undefined
      ? this.#reader.firstIndex()
      : ((this.#snapshot.index + 1) as LogIndex);
  }

  lastIndex(): LogIndex {
    return (this.#offset + this.#tail.length - 1) as LogIndex;
  }

  lastTerm(): Term {
    const term = this.termOf(this.lastIndex());
    invariant(term !== undefined, 'The last entry has no term', { last: this.lastIndex() });
    return term;
  }

  /** The last index that would survive a power cut. */
  durableIndex(): LogIndex {
    return (this.#snapshot === undefined ? this.#offset - 1 : 0) as LogIndex;
  }

  get pendingSnapshot(): SnapshotMeta | undefined {
    return this.#snapshot;
  }

  /** `undefined` when compacted, or after the last. */
  termOf(index: LogIndex): Term | undefined {
    if (index >= this.#offset) return this.#tail[index - this.#offset]?.term;
    if (this.#snapshot !== undefined) {
      return index === this.#snapshot.index ? this.#snapshot.term : undefined;
    }
    if (index === 0) return this.#reader.firstIndex() === 1 ? (0 as Term) : undefined;
    return this.#reader.termOf(index);
  }

  hasEntry(index: LogIndex, term: Term): boolean {
    return this.termOf(index) === term;
  }

  /** Raft 5.4.1: the later last term wins, then the longer log. */
  isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    const own = this.lastTerm();
    return lastTerm > own || (lastTerm === own && lastIndex >= this.lastIndex());
  }

  /** Entries in `[from, to)`, at least one if any, within `bytesMax`; `undefined`: compacted. */
  slice(from: LogIndex, to: LogIndex, bytesMax: number): readonly Entry[] | undefined {
    if (from >= to) return [];
    if (from >= this.#offset) return this.#tailSlice(from, to, bytesMax, 0);
    if (this.#snapshot !== undefined || from < this.#reader.firstIndex()) return undefined;
    const storedTo = Math.min(to, this.#offset) as LogIndex;
    const stored = this.#reader.entries(from, storedTo, bytesMax);
    if (stored === undefined) return undefined;
    const contiguous = stored.length > 0 && stored[0]?.index === from;
    invariant(contiguous, 'The log reader answered another range', { from, storedTo });
    if (stored.length < storedTo - from || storedTo === to) return stored;
    let bytes = 0;
    for (const entry of stored) bytes += entryBytes(entry);
    return [...stored, ...this.#tailSlice(storedTo, to, bytesMax, bytes)];
  }

  #tailSlice(from: number, to: number, bytesMax: number, bytesBefore: number): readonly Entry[] {
    let bytes = bytesBefore;
    let end = from;
    while (end < to) {
      const entry = this.#tail[end - this.#offset];
      if (entry === undefined) break;
      bytes += entryBytes(entry);
      if (bytes > bytesMax && (end > from || bytesBefore > 0)) break;
      end += 1;
    }
    return this.#tail.slice(from - this.#offset, end - this.#offset);
  }

  /** Puts `entries` on, replacing everything from the first one's index. Contiguity is asserted. */
  put(entries: readonly Entry[], commit: LogIndex): void {
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index > commit, 'A committed entry would be replaced', {
      first: first.index,
      commit,
    });
    invariant(first.index <= this.lastIndex() + 1, 'Appending would leave a gap', {
      first: first.index,
      last: this.lastIndex(),
    });
    let index = first.index - 1;
    let term: number = this.termOf((first.index - 1) as LogIndex) ?? 0;
    for (const entry of entries) {
      invariant(entry.index === index + 1 && entry.term >= term, 'Entries are out of order', {
        index: entry.index,
        term: entry.term,
        after: index,
        afterTerm: term,
      });
      index = entry.index;
      term = entry.term;
    }
    if (first.index <= this.#offset) {
      this.#tail = [...entries];
      this.#offset = first.index;
      this.#untaken = first.index;
      return;
    }
    this.#tail.length = first.index - this.#offset;
    for (const entry of entries) this.#tail.push(entry);
    this.#untaken = Math.min(this.#untaken, first.index);
  }

  /** The log becomes what `meta` stands for; everything before and after it is gone. */
  restore(meta: SnapshotMeta): void {
    this.#snapshot = meta;
    this.#snapshotTaken = false;
    this.#tail = [];
    this.#offset = meta.index + 1;
    this.#untaken = this.#offset;
  }

  hasUntaken(): boolean {
    return (
      this.#untaken <= this.lastIndex() || (this.#snapshot !== undefined && !this.#snapshotTaken)
    );
  }

  /** What the next `Ready` must store; handed out once. */
  take(): { readonly entries: readonly Entry[]; readonly snapshot: SnapshotMeta | undefined } {
    const entries = this.#tail.slice(this.#untaken - this.#offset);
    const snapshot = this.#snapshotTaken ? undefined : this.#snapshot;
    this.#untaken = this.lastIndex() + 1;
    this.#snapshotTaken = this.#snapshot !== undefined;
    return { entries, snapshot };
  }

  /**
   * Everything up to (`index`, `term`) is durable. Ignored when the tail no longer holds that
   * entry: it was replaced while its write was on the way.
   */
  stableTo(index: LogIndex, term: Term): void {
    if (index < this.#offset || this.termOf(index) !== term) return;
    this.#tail = this.#tail.slice(index - this.#offset + 1);
    this.#offset = index + 1;
    this.#untaken = Math.max(this.#untaken, this.#offset);
  }

  snapshotStable(index: LogIndex): void {
    if (this.#snapshot?.index === index) {
      this.#snapshot = undefined;
      this.#snapshotTaken = false;
    }
  }

  snapshotMeta(): SnapshotMeta | undefined {
    return this.#snapshot === undefined ? this.#reader.snapshotMeta() : undefined;
  }

  /**
   * The highest index at or below `index` whose term is not above `term`: where two logs that
   * disagree may still agree. One probe a term instead of one an entry (Raft 5.3, last part).
   */
  lastIndexAtOrBelowTerm(index: LogIndex, term: Term): { index: LogIndex; term: Term } {
    for (let at = index; at > 0; at = (at - 1) as LogIndex) {
      const own = this.termOf(at);
      if (own === undefined) return { index: at, term: 0 as Term };
      if (own <= term) return { index: at, term: own };
    }
    return { index: 0 as LogIndex, term: 0 as Term };
  }

  /** The first of `entries` that this log does not hold; `undefined` when it holds them all. */
  firstNew(entries: readonly Entry[]): number | undefined {
    const at = entries.findIndex((entry) => !this.hasEntry(entry.index, entry.term));
    return at === -1 ? undefined : at;
  }
}
