import type { Clock, Timer } from '../../lib/index.ts';
import { InvariantError, StrongroomError } from '../../lib/index.ts';
import type { LogIndex, Message, Ready, StorageReceipt, Term } from '../core/index.ts';
import type { DriverMetrics } from './driver-metrics.ts';
import type { HighWater, HighWaterFile } from './log/high-water.ts';
import type { LogChange, RaftLog } from './log/raft-log.ts';

/** What became durable: say it, and tell the core. */
export interface Durable {
  readonly afterPersist: readonly Message[];
  readonly receipt: StorageReceipt | undefined;
}

export interface StorageWriterOptions {
  readonly raftLog: RaftLog;
  readonly highWater: HighWaterFile;
  readonly clock: Clock;
  readonly metrics: DriverMetrics;
  readonly markLagMs: number;
  readonly logKeepBytes: number;
  readonly onDurable: (done: readonly Durable[]) => void;
  /** Called once; nothing is written or acknowledged after it. */
  readonly onFailure: (error: unknown) => void;
}

/** Entries of one storage write; a single larger `Ready` still passes. */
const WRITE_BYTES_MAX = 4 * 1024 * 1024;

interface Pending extends Durable {
  readonly changes: readonly LogChange[];
  readonly bytes: number;
  readonly mustSync: boolean;
}

/**
 * Makes the storage writes of a node: in order, one in flight, everything that came meanwhile in
 * the next one. The sync under way is the batching window, so it adds no delay to a lone write.
 */
export class StorageWriter {
  readonly #options: StorageWriterOptions;
  #queue: Pending[] = [];
  #busy = false;
  /** Monotonic; since when entries are being written. */
  #writingSinceMs: number | undefined;
  #ended = false;
  #mark: HighWater;
  /** The mark as it should be by now. */
  #wanted: HighWater;
  #markedAtMs: number;
  #markTimer: Timer | undefined;
  #compactTo: LogIndex | undefined;
  #idleWaiters: (() => void)[] = [];

  constructor(options: StorageWriterOptions, mark: HighWater) {
    this.#options = options;
    this.#mark = mark;
    this.#wanted = mark;
    this.#markedAtMs = options.clock.monotonicMs();
  }

  /** For how long entries are being written already; `onDurable` is called when it ends. */
  get writingEntriesForMs(): number | undefined {
    if (this.#writingSinceMs === undefined) return undefined;
    return this.#options.clock.monotonicMs() - this.#writingSinceMs;
  }

  /** Takes over the storage part of a `Ready`; its entries must be staged in the log already. */
  submit(ready: Ready): void {
    if (this.#ended) return;
    const changes: LogChange[] = [];
    if (ready.snapshot !== undefined) changes.push({ kind: 'reset', base: ready.snapshot });
    if (ready.append.length > 0) changes.push({ kind: 'entries', entries: ready.append });
    if (ready.hard !== undefined) changes.push({ kind: 'hard', hard: ready.hard });
    const { afterPersist, receipt, mustSync } = ready;
    if (changes.length === 0 && afterPersist.length === 0 && receipt === undefined) return;
    const bytes = ready.append.reduce((sum, entry) => sum + entry.data.length, 0);
    this.#queue.push({ changes, bytes, mustSync, afterPersist, receipt });
    this.#pump();
  }

  /** Removes segments up to `index` when no write is under way. */
  compact(index: LogIndex): void {
    this.#compactTo = index;
    this.#pump();
  }

  /**
   * Whether this node still has to catch up before it votes: kept with the mark. Resolves when it
   * is durable, or the writer was abandoned.
   */
  async setRecovering(recovering: boolean): Promise<void> {
    this.#wanted = { ...this.#wanted, recovering };
    this.#pump();
    await this.idle();
  }

  /** Resolves when nothing is queued or in flight. */
  idle(): Promise<void> {
    if (!this.#busy && this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Writes the mark a last time and stops. */
  async close(): Promise<void> {
    await this.idle();
    this.#markTimer?.cancel();
    if (this.#ended) return;
    this.#ended = true;
    if (this.#wanted !== this.#mark) await this.#options.highWater.write(this.#wanted);
  }

  /** Stops without writing anything more. */
  abandon(): void {
    this.#ended = true;
    this.#queue = [];
    this.#markTimer?.cancel();
    this.#wakeIdle();
  }

  #pump(): void {
    while (!this.#busy && !this.#ended) {
      if (this.#isMarkDue()) {
        this.#run(() => this.#writeMark(this.#wanted));
        return;
      }
      const batch = this.#take();
      if (batch.length === 0) break;
      if (batch.some((pending) => pending.mustSync)) {
        this.#run(() => this.#write(batch));
        return;
      }
      // A commit index alone may be lost: it rides along with the next write.
      for (const { changes } of batch) {
        for (const change of changes) {
          if (change.kind === 'hard') this.#options.raftLog.carry(change.hard);
        }
      }
      this.#options.onDurable(batch);
    }
    if (this.#busy || this.#ended) return;
    const compactTo = this.#compactTo;
    if (compactTo !== undefined) {
      this.#compactTo = undefined;
      this.#run(() => this.#options.raftLog.compact(compactTo, this.#options.logKeepBytes));
      return;
    }
    this.#armMarkTimer();
    this.#wakeIdle();
  }

  #run(task: () => Promise<void>): void {
    this.#busy = true;
    task().then(
      () => {
        this.#busy = false;
        this.#pump();
      },
      (error: unknown) => {
        this.#busy = false;
        const wasEnded = this.#ended;
        this.abandon();
        if (!wasEnded) this.#options.onFailure(asFailure(error));
      },
    );
  }

  #take(): readonly Pending[] {
    let bytes = 0;
    let count = 0;
    for (const pending of this.#queue) {
      bytes += pending.bytes;
      if (count > 0 && bytes > WRITE_BYTES_MAX) break;
      count += 1;
      // What was written before a snapshot reset and what comes after it are different logs.
      if (pending.changes.some((change) => change.kind === 'reset')) break;
    }
    return this.#queue.splice(0, count);
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    const { raftLog, clock, metrics } = this.#options;
    const changes = batch.flatMap((pending) => pending.changes);
    const hasEntries = changes.some((change) => change.kind === 'entries');
    this.#writingSinceMs = hasEntries ? clock.monotonicMs() : undefined;
    const floor = lowestReplaced(changes);
    if (floor !== undefined && floor <= this.#mark.lastIndex) {
      // The mark must not name what is about to be replaced (Raft 5.3 may shorten the log).
      await this.#writeMark({ ...this.#mark, lastIndex: 0 as LogIndex, lastTerm: 0 as Term });
    }
    const started = clock.monotonicMs();
    await raftLog.write(changes);
    metrics.fsyncSeconds.observe((clock.monotonicMs() - started) / 1000);
    const entries = changes.reduce(
      (sum, change) => sum + (change.kind === 'entries' ? change.entries.length : 0),
      0,
    );
    if (entries > 0) metrics.writeEntries.observe(entries);
    this.#noteHard(batch);
    this.#noteLast(batch);
    const { term, vote } = this.#wanted;
    if (term !== this.#mark.term || vote !== this.#mark.vote) await this.#writeMark(this.#wanted);
    this.#writingSinceMs = undefined;
    if (!this.#ended) this.#options.onDurable(batch);
  }

  #noteHard(batch: readonly Pending[]): void {
    for (const { changes } of batch) {
      for (const change of changes) {
        if (change.kind !== 'hard') continue;
        const { term, vote } = change.hard;
        if (term === this.#wanted.term && vote === this.#wanted.vote) continue;
        this.#wanted = { ...this.#wanted, term, vote };
      }
    }
  }

  #noteLast(batch: readonly Pending[]): void {
    for (const { changes } of batch) {
      for (const change of changes) {
        const last =
          change.kind === 'entries'
            ? change.entries.at(-1)
            : change.kind === 'reset'
              ? change.base
              : undefined;
        if (last === undefined) continue;
        this.#wanted = { ...this.#wanted, lastIndex: last.index, lastTerm: last.term };
      }
    }
  }

  async #writeMark(mark: HighWater): Promise<void> {
    await this.#options.highWater.write(mark);
    this.#mark = mark;
    this.#markedAtMs = this.#options.clock.monotonicMs();
  }

  #isMarkDue(): boolean {
    const { clock, markLagMs } = this.#options;
    if (this.#wanted.recovering !== this.#mark.recovering) return true;
    return this.#wanted !== this.#mark && clock.monotonicMs() - this.#markedAtMs >= markLagMs;
  }

  #armMarkTimer(): void {
    if (this.#wanted === this.#mark || this.#markTimer !== undefined) return;
    this.#markTimer = this.#options.clock.after(this.#options.markLagMs, () => {
      this.#markTimer = undefined;
      this.#pump();
    });
  }

  #wakeIdle(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }
}

/** The first index that this write replaces or forgets. */
function lowestReplaced(changes: readonly LogChange[]): LogIndex | undefined {
  let lowest: LogIndex | undefined;
  for (const change of changes) {
    const index =
      change.kind === 'reset'
        ? (0 as LogIndex)
        : change.kind === 'entries'
          ? change.entries[0]?.index
          : undefined;
    if (index !== undefined && (lowest === undefined || index < lowest)) lowest = index;
  }
  return lowest;
}

function asFailure(error: unknown): unknown {
  if (error instanceof StrongroomError || error instanceof InvariantError) return error;
  return new StrongroomError(
    'raft.disk-failed',
    'Cannot write the high-water mark of the Raft log: the disk refused it; nothing more is acknowledged by this node',
    { cause: error },
  );
}
