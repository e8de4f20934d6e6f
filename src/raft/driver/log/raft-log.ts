import { InvariantError, invariant, StrongroomError } from '../../../lib/index.ts';
import type {
  Entry,
  HardState,
  LogIndex,
  LogReader,
  Membership,
  SnapshotMeta,
  Term,
} from '../../core/index.ts';
import type { AppendFile, Disk } from '../disk.ts';
import type { EntryWindow } from './entry-window.ts';
import { encodeFrame, readFrame } from './frames.ts';
import { type LogBase, type LogIdentity, type LogRecord, readRecords } from './records.ts';
import {
  noteRun,
  type RecoveredLog,
  type Run,
  recoverLog,
  type Segment,
  segmentName,
} from './recover.ts';

export interface RaftLogOptions {
  readonly disk: Disk;
  readonly identity: LogIdentity;
  /** What the state machine holds: where to go on when the log itself is shorter. */
  readonly applied: SnapshotMeta;
  /** A segment is closed once it is larger. */
  readonly segmentBytesMax: number;
  /** Entries that are applied are held in memory only within this budget. */
  readonly windowBytesMax: number;
  /** Awaited before anything is cut: that something was lost must be known after a crash, too. */
  readonly onDamage: (damage: string) => Promise<void>;
}

const NOBODY: Membership = { voters: [], learners: [], removed: [] };

/** What one storage write puts on disk, in this order. */
export type LogChange =
  | { readonly kind: 'entries'; readonly entries: readonly Entry[] }
  | { readonly kind: 'hard'; readonly hard: HardState }
  | { readonly kind: 'reset'; readonly base: LogBase };

/**
 * The Raft log: in memory at once (`stage`), on disk when `write` resolves. Segments of frames that
 * are chained by checksum; see `frames.ts` for the format and `recover.ts` for the way back.
 */
export class RaftLog implements LogReader {
  readonly #disk: Disk;
  readonly #identity: LogIdentity;
  readonly #options: RaftLogOptions;
  readonly #window: EntryWindow;
  readonly #segments: Segment[];
  #runs: Run[];
  #base: LogBase;
  #hard: HardState;
  #chain: number;
  #file: AppendFile | undefined;
  #fileBytes = 0;
  #snapshotMeta: SnapshotMeta | undefined;
  /** The log starts at `#base`, and the next write must say so on disk. */
  #pendingReset = false;
  #restsOnState = false;
  #writing = false;
  #broken = false;

  private constructor(options: RaftLogOptions, recovered: RecoveredLog) {
    this.#options = options;
    this.#disk = options.disk;
    this.#identity = options.identity;
    this.#window = recovered.window;
    this.#segments = recovered.segments;
    this.#runs = recovered.runs;
    this.#base = recovered.origin ?? options.applied;
    this.#hard = recovered.hard;
    this.#chain = recovered.chain;
  }

  /**
   * Opens the log of a directory, made if it is empty.
   * @returns the log; what it says of damage is the caller's to weigh.
   * @throws StrongroomError `raft.wrong-cluster`
   */
  static async open(options: RaftLogOptions): Promise<{
    readonly log: RaftLog;
    readonly hard: HardState;
    readonly origin: LogBase | undefined;
    readonly empty: boolean;
    readonly damage: string | undefined;
  }> {
    const { applied } = options;
    const recovered = await recoverLog(options.disk, options.identity, {
      keepFrom: (applied.index + 1) as LogIndex,
      windowBytesMax: options.windowBytesMax,
      onDamage: options.onDamage,
    });
    const log = new RaftLog(options, recovered);
    const gap = log.#gapAfter(applied);
    log.#alignWith(applied);
    const { hard, origin, empty, damage } = recovered;
    return { log, hard, origin, empty, damage: damage ?? gap };
  }

  firstIndex(): LogIndex {
    return (this.#window.baseIndex + 1) as LogIndex;
  }

  lastIndex(): LogIndex {
    return this.#window.lastIndex;
  }

  termOf(index: LogIndex): Term | undefined {
    return this.#window.termOf(index);
  }

  entries(from: LogIndex, to: LogIndex, bytesMax: number): readonly Entry[] | undefined {
    return this.#window.slice(from, to, bytesMax);
  }

  snapshotMeta(): SnapshotMeta | undefined {
    return this.#snapshotMeta;
  }

  /** Says what a snapshot that is made now would stand for. */
  offerSnapshot(meta: SnapshotMeta | undefined): void {
    this.#snapshotMeta = meta;
  }

  /** Makes entries readable at once; `write` must follow with the same ones. */
  stage(entries: readonly Entry[]): void {
    this.#window.append(entries);
  }

  stageReset(meta: SnapshotMeta): void {
    this.#window.reset(meta.index, meta.term);
  }

  /** Keeps what is held in memory within its budget; entries after `settled` stay. */
  evict(settled: LogIndex): void {
    this.#window.evict(settled, this.#options.windowBytesMax);
  }

  /** A commit index that need not be synced: it goes out with the next write. */
  carry(hard: HardState): void {
    this.#hard = hard;
  }

  /** The next write lets go of entries that only the state holds: it must be durable before. */
  get restsOnState(): boolean {
    return this.#restsOnState;
  }

  get diskBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /**
   * Writes one frame and syncs it. One at a time. After a failure the log is broken for good: what
   * is on disk is not known, and trying again could lose what another sync said was safe.
   *
   * @throws StrongroomError `raft.disk-failed`
   */
  async write(changes: readonly LogChange[]): Promise<void> {
    invariant(!this.#writing, 'Two storage writes at once');
    if (this.#broken) throw diskFailed(new Error('An earlier write failed'));
    this.#writing = true;
    try {
      await this.#write(changes);
    } catch (error) {
      this.#broken = true;
      throw error instanceof InvariantError ? error : diskFailed(error);
    } finally {
      this.#writing = false;
    }
  }

  /**
   * Removes whole segments whose entries are all at or below `index`, oldest first, while more than
   * `keepBytes` would stay. Never beside a write.
   */
  async compact(index: LogIndex, keepBytes: number): Promise<void> {
    invariant(!this.#writing, 'Compacting beside a storage write');
    let bytes = this.diskBytes;
    const removed: number[] = [];
    let base: LogIndex = this.#window.baseIndex;
    while (this.#segments.length > 1) {
      const [oldest] = this.#segments;
      if (oldest === undefined || oldest.lastIndex > index || bytes - oldest.bytes < keepBytes) {
        break;
      }
      this.#segments.shift();
      removed.push(oldest.number);
      bytes -= oldest.bytes;
      if (oldest.lastIndex > base) base = oldest.lastIndex;
    }
    if (removed.length === 0) return;
    this.#window.compact(base);
    this.#runs = this.#runs.filter((run) => run.segment > (removed.at(-1) ?? 0));
    this.#writing = true;
    try {
      for (const number of removed) await this.#disk.remove(segmentName(number));
    } catch (error) {
      this.#broken = true;
      throw diskFailed(error);
    } finally {
      this.#writing = false;
    }
  }

  /**
   * Entries from `from` on, from memory or else from disk, where their checksums are verified again.
   * Only for committed entries: what may still be replaced may not be there.
   *
   * @throws StrongroomError `store.compacted`, `raft.log-corrupt`
   */
  async read(from: LogIndex, to: LogIndex, bytesMax: number): Promise<readonly Entry[]> {
    const held = this.entries(from, to, bytesMax);
    if (held !== undefined) return held;
    const at = this.#runs.findLastIndex((run) => run.first <= from);
    const run = this.#runs[at];
    if (from < this.firstIndex() || run === undefined) throw compacted(from, this.firstIndex());
    const end = Math.min(to, this.#runs[at + 1]?.first ?? to);
    const bytes = await this.#readRun(run, from);
    const body = readFrame(bytes, run);
    if (body === undefined) {
      if (from < this.firstIndex()) throw compacted(from, this.firstIndex());
      throw new StrongroomError(
        'raft.log-corrupt',
        `Cannot read entry ${from} of the Raft log: ${segmentName(run.segment)} is damaged at byte ${run.offset}`,
      );
    }
    return selectEntries(body, from, end, bytesMax);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#broken = true;
    await file?.close();
  }

  async #readRun(run: Run, from: LogIndex): Promise<Buffer> {
    try {
      const read = await this.#disk.readRange(segmentName(run.segment), run.offset, run.bytes);
      return Buffer.from(read.buffer, read.byteOffset, read.byteLength);
    } catch (error) {
      // Removed by a compaction that ran meanwhile.
      if (from < this.firstIndex()) throw compacted(from, this.firstIndex());
      throw diskFailed(error);
    }
  }

  async #write(changes: readonly LogChange[]): Promise<void> {
    const resetAt = changes.findLastIndex((change) => change.kind === 'reset');
    const reset = changes[resetAt];
    if (reset?.kind === 'reset') this.#base = reset.base;
    const live = resetAt < 0 ? changes : changes.slice(resetAt + 1);
    const records: LogRecord[] = [];
    let first: LogIndex | undefined;
    let last = 0 as LogIndex;
    for (const change of changes) if (change.kind === 'hard') this.#hard = change.hard;
    for (const change of live) {
      if (change.kind !== 'entries') continue;
      for (const entry of change.entries) {
        if (first === undefined || entry.index < first) first = entry.index;
        if (entry.index > last) last = entry.index;
        records.push({ kind: 'entry', entry });
      }
    }
    records.push({ kind: 'hard', hard: this.#hard });
    const starts = reset !== undefined || this.#pendingReset;
    const older = starts ? this.#segments.splice(0) : [];
    if (starts) this.#runs = [];
    const full = (this.#segments.at(-1)?.bytes ?? 0) >= this.#options.segmentBytesMax;
    const opens = starts || full || this.#segments.length === 0;
    if (opens) {
      const number = ((older.at(-1) ?? this.#segments.at(-1))?.number ?? 0) + 1;
      await this.#openSegment(number);
      records.unshift(this.#segmentRecord(starts, first));
    }
    await this.#append(records, first, last);
    if (opens) await this.#disk.syncDirectory();
    this.#pendingReset = false;
    for (const segment of older) await this.#disk.remove(segmentName(segment.number));
  }

  async #append(records: readonly LogRecord[], first: LogIndex | undefined, last: LogIndex) {
    const segment = this.#segments.at(-1);
    invariant(segment !== undefined, 'No segment to write to');
    const file = await this.#openFile(segment);
    const place = { segment: segment.number, offset: this.#fileBytes };
    const { frame, chain } = encodeFrame(records, place, this.#chain);
    await file.append([frame]);
    await file.sync();
    this.#chain = chain;
    this.#fileBytes += frame.length;
    segment.bytes = this.#fileBytes;
    if (first === undefined) return;
    if (last > segment.lastIndex) segment.lastIndex = last;
    noteRun(this.#runs, { first, ...place, bytes: frame.length });
  }

  async #openFile(segment: Segment): Promise<AppendFile> {
    if (this.#file === undefined) {
      this.#file = await this.#disk.openAppend(segmentName(segment.number));
      this.#fileBytes = segment.bytes;
    }
    return this.#file;
  }

  async #openSegment(number: number): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    this.#segments.push({ number, bytes: 0, lastIndex: 0 as LogIndex });
  }

  #segmentRecord(reset: boolean, first: LogIndex | undefined): LogRecord {
    const index = reset ? this.#base.index : (((first ?? this.lastIndex() + 1) - 1) as LogIndex);
    const term = reset ? this.#base.term : (this.termOf(index) ?? (0 as Term));
    const membership = reset ? this.#base.membership : NOBODY;
    const base = { index, term, membership };
    return { kind: 'segment', identity: this.#identity, base, reset };
  }

  /** A log that begins after the state ends has lost what is between. */
  #gapAfter(applied: SnapshotMeta): string | undefined {
    if (this.#window.baseIndex <= applied.index) return undefined;
    return `the log begins at entry ${this.firstIndex()}, but the state ends at entry ${applied.index}`;
  }

  /** What was applied was committed, so where log and state differ, the state is right. */
  #alignWith(applied: SnapshotMeta): void {
    const window = this.#window;
    const termUnknown = window.baseIndex > 0 && window.termOf(window.baseIndex) === 0;
    if (termUnknown && applied.index === window.baseIndex) window.learnBaseTerm(applied.term);
    if (window.termOf(applied.index) === applied.term) {
      if (termUnknown) window.compact(applied.index);
      return;
    }
    // The state is ahead: a snapshot was installed just before a crash, or the log was cut.
    window.reset(applied.index, applied.term);
    this.#runs = [];
    this.#base = applied;
    this.#pendingReset = true;
    this.#restsOnState = true;
  }

  /** Sets who counts in a log that was never written to. */
  begin(membership: Membership): void {
    const index = this.#window.baseIndex;
    this.#base = { index, term: this.termOf(index) ?? (0 as Term), membership };
    this.#pendingReset = true;
  }
}

function selectEntries(
  body: Buffer,
  from: LogIndex,
  end: number,
  bytesMax: number,
): readonly Entry[] {
  const byIndex = new Map<number, Entry>();
  for (const record of readRecords(body)) {
    if (record.kind === 'entry') byIndex.set(record.entry.index, record.entry);
  }
  const out: Entry[] = [];
  let bytes = 0;
  for (let index = from as number; index < end; index++) {
    const entry = byIndex.get(index);
    if (entry === undefined) break;
    bytes += entry.data.length;
    if (out.length > 0 && bytes > bytesMax) break;
    out.push(entry);
  }
  return out;
}

function diskFailed(cause: unknown): StrongroomError {
  return new StrongroomError(
    'raft.disk-failed',
    'Cannot write the Raft log: the disk refused a write or a sync; nothing more is acknowledged by this node',
    { cause },
  );
}

function compacted(from: LogIndex, first: LogIndex): StrongroomError {
  return new StrongroomError(
    'store.compacted',
    `Cannot read the log from entry ${from}: it begins at ${first}, start from a snapshot`,
  );
}
