import type {
  Entry,
  HardState,
  LogIndex,
  LogReader,
  Membership,
  Ready,
  SnapshotMeta,
  Term,
} from '../../src/raft/core/index.ts';

interface Log {
  /** What everything up to it was compacted into; index 0 when nothing was. */
  readonly base: SnapshotMeta;
  /** Entries after `base`, contiguous. */
  readonly entries: readonly Entry[];
}

function appended(log: Log, entries: readonly Entry[]): Log {
  const first = entries[0];
  if (first === undefined) return log;
  const keep = first.index - log.base.index - 1;
  if (keep < 0 || keep > log.entries.length) throw new Error(`a gap before ${first.index}`);
  return { base: log.base, entries: [...log.entries.slice(0, keep), ...entries] };
}

const written = (log: Log, ready: Ready): Log =>
  appended(
    ready.snapshot === undefined ? log : { base: ready.snapshot, entries: [] },
    ready.append,
  );

/**
 * A log in memory with what a driver owes the core: what it reads (taken), what a power cut would
 * leave (durable), and the writes between, in order.
 */
export class MemoryDisk implements LogReader {
  #taken: Log;
  #durable: Log;
  #hard: HardState = { term: 0 as Term, vote: undefined, commit: 0 as LogIndex };
  /** What the next synced write takes along. */
  #carried: HardState = this.#hard;

  constructor(membership: Membership) {
    const base = { index: 0 as LogIndex, term: 0 as Term, membership };
    this.#taken = { base, entries: [] };
    this.#durable = this.#taken;
  }

  get hard(): HardState {
    return this.#hard;
  }

  get base(): SnapshotMeta {
    return this.#taken.base;
  }

  /** What would survive a power cut now. */
  get durableEntries(): readonly Entry[] {
    return this.#durable.entries;
  }

  get durableLast(): number {
    return this.#durable.base.index + this.#durable.entries.length;
  }

  take(ready: Ready): void {
    this.#taken = written(this.#taken, ready);
  }

  persist(ready: Ready): void {
    this.#durable = written(this.#durable, ready);
    this.#carried = ready.hard ?? this.#carried;
    if (ready.mustSync) this.#hard = this.#carried;
  }

  /** Everything that was not durable is gone. */
  powerCut(): void {
    this.#taken = this.#durable;
    this.#carried = this.#hard;
  }

  /** For tests that begin in the middle of a story. */
  preset(hard: HardState, entries: readonly Entry[]): void {
    this.#hard = hard;
    this.#carried = hard;
    this.#durable = appended(this.#durable, entries);
    this.#taken = this.#durable;
    this.#carried = this.#hard;
  }

  /** Forgets entries up to `meta.index`, of which `meta` is a snapshot. */
  compact(meta: SnapshotMeta): void {
    const cut = (log: Log): Log =>
      meta.index <= log.base.index
        ? log
        : { base: meta, entries: log.entries.slice(meta.index - log.base.index) };
    this.#taken = cut(this.#taken);
    this.#durable = cut(this.#durable);
  }

  firstIndex(): LogIndex {
    return (this.#taken.base.index + 1) as LogIndex;
  }

  lastIndex(): LogIndex {
    return (this.#taken.base.index + this.#taken.entries.length) as LogIndex;
  }

  termOf(index: LogIndex): Term | undefined {
    const { base, entries } = this.#taken;
    return index === base.index ? base.term : entries[index - base.index - 1]?.term;
  }

  entries(from: LogIndex, to: LogIndex, bytesMax: number): readonly Entry[] | undefined {
    const { base, entries } = this.#taken;
    if (from <= base.index) return undefined;
    const out: Entry[] = [];
    let bytes = 0;
    for (const entry of entries.slice(from - base.index - 1, to - base.index - 1)) {
      bytes += entry.data.byteLength + 24;
      if (out.length > 0 && bytes > bytesMax) break;
      out.push(entry);
    }
    return out;
  }

  /** Set by the node: what a snapshot of its state machine would stand for. */
  snapshotOf: () => SnapshotMeta | undefined = () =>
    this.#taken.base.index > 0 ? this.#taken.base : undefined;

  snapshotMeta(): SnapshotMeta | undefined {
    return this.snapshotOf();
  }
}
