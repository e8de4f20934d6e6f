import { type Clock, type Deferred, deferred, fromHex, StrongroomError } from '../../lib/index.ts';
import type { Counter, Histogram, Logger, Metrics } from '../../telemetry/index.ts';
import type { AuditRecord, AuditSink } from '../../vault/index.ts';
import { type ChainHead, chainLine, EMPTY_CHAIN, LINE_BYTES_MAX } from '../verify/chained-line.ts';
import { type ChainFile, openChainFile, type TornEnd } from './chain-file.ts';
import { SinkHealth } from './sink-health.ts';

/** Records that wait for the write in flight. More are refused, and their requests with them. */
const WAITING_RECORDS_MAX = 10_000;
/** Written at once; the rest waits for the next turn. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** A write that takes longer hangs: who waits is told, and nobody else begins to wait. */
const WRITE_MS_MAX = 2_000;
/** Lines that tell of the sink itself: no request depends on them. */
const OF_SINK = 'sink';

export interface FileSinkOptions {
  readonly path: string;
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /**
   * Waits for the disk before a record counts as written. Without it (the default) records survive
   * the process, but the last ones may be lost with the machine.
   */
  readonly fsync?: boolean;
  /**
   * Where the chain goes on when the file is new: the newest head that the cluster committed for this
   * sink. Without it a new file begins a chain of its own, at record 1.
   */
  readonly startAfter?: ChainHead;
}

export interface FileSink extends AuditSink {
  /** False from a failed or hanging write until one that ends well. */
  readonly isHealthy: boolean;
  onHealthChange(listener: () => void): () => void;
  /**
   * Opens the file by its name again, after it was moved away by log rotation: the chain goes on in
   * the new file. Waits for the write in flight.
   * @throws StrongroomError `audit.sink-failed`, and then goes on with the old file.
   */
  reopen(): Promise<void>;
}

/**
 * An audit sink that appends chained lines of JSON to a file of mode 0600.
 *
 * @throws StrongroomError `audit.sink-failed`, `audit.chain-broken`
 */
export async function openFileSink(options: FileSinkOptions): Promise<FileSink> {
  const file = await openNamed(options);
  const sink = new ChainedFileSink(options, file);
  if (file.torn !== undefined) await sink.tellTornEnd(file.torn);
  return sink;
}

interface Waiting {
  readonly type: string;
  readonly members: string;
  readonly written: Deferred<void>;
}

interface Batch {
  readonly records: readonly Waiting[];
  readonly bytes: Buffer;
  readonly head: ChainHead;
}

class ChainedFileSink implements FileSink {
  readonly kind = 'file';
  readonly #options: FileSinkOptions;
  readonly #records: Counter;
  readonly #failures: Counter;
  readonly #writeSeconds: Histogram;
  readonly #health: SinkHealth;
  #file: ChainFile;
  #head: ChainHead;
  #waiting: Waiting[] = [];
  /** Work on the file, one after the other: batches and reopening. */
  #turn: Promise<void> = Promise.resolve();
  #isScheduled = false;
  #isClosed = false;
  /** Bytes of a failed write may lie behind the whole lines. */
  #needsRepair = false;
  /** Resolves when the write in flight begins to hang; a new one when that has ended. */
  #hanging = deferred<void>();
  #isHanging = false;

  constructor(options: FileSinkOptions, file: ChainFile) {
    this.#options = options;
    this.#file = file;
    this.#head = file.last ?? options.startAfter ?? EMPTY_CHAIN;
    const { name, clock, log, metrics } = options;
    const probe = (refused: number) => this.#probe(refused);
    this.#health = new SinkHealth({ name, clock, log, metrics, probe });
    const labels = ['sink'];
    this.#records = options.metrics.counter({
      name: 'strongroom_audit_records_total',
      help: 'Audit records written',
      labels,
    });
    this.#failures = options.metrics.counter({
      name: 'strongroom_audit_failures_total',
      help: 'Audit records that could not be written, so that their request was refused',
      labels,
    });
    this.#writeSeconds = options.metrics.histogram({
      name: 'strongroom_audit_write_seconds',
      help: 'Time to write one batch of audit records',
      labels,
      buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
    });
  }

  get name(): string {
    return this.#options.name;
  }

  get target(): string {
    return this.#options.path;
  }

  get isHealthy(): boolean {
    return this.#health.isWell;
  }

  onHealthChange(listener: () => void): () => void {
    return this.#health.onChange(listener);
  }

  append(record: AuditRecord): Promise<void> {
    return this.#append(record.type, record.members);
  }

  head(): { readonly sequence: number; readonly hash: Uint8Array } {
    return { sequence: this.#head.sequence, hash: fromHex(this.#head.hash) };
  }

  /** Says, in the chain itself, that the last write before this start was interrupted. */
  async tellTornEnd(torn: TornEnd): Promise<void> {
    const { name, log } = this.#options;
    log.warn({ sink: name, bytes: torn.bytes }, 'Cut an unfinished record off the audit file');
    const { bytes: tornBytes, sha256: tornSha256 } = torn;
    await this.#tellOfSink({ event: 'torn-end-removed', tornBytes, tornSha256 });
  }

  /** Says, in the chain itself, that requests were refused because it could not be written. */
  #probe(refused: number): void {
    this.#tellOfSink({ event: 'writes-again', refusedRecords: refused }).catch(() => {
      // Not yet: it is tried again.
    });
  }

  #tellOfSink(fields: Readonly<Record<string, string | number>>): Promise<void> {
    const time = new Date(this.#options.clock.wallMs()).toISOString();
    return this.#append(OF_SINK, JSON.stringify({ time, ...fields }).slice(1, -1));
  }

  reopen(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#repair().catch((error: unknown) => {
        // The old file is given up; `audit verify` will find the torn line at its end.
        this.#options.log.warn({ sink: this.name, cause: error }, 'Left a torn line behind');
      });
      const next = await openNamed(this.#options);
      const isSame = next.inode === this.#file.inode;
      if (!isSame && next.last !== undefined && next.last.hash !== this.#head.hash) {
        await next.handle.close();
        throw this.#failure('reopen', undefined, 'the file holds another chain, move it away');
      }
      const old = this.#file;
      this.#file = next;
      this.#needsRepair = false;
      await old.handle.close();
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#health.stop();
    // What hangs may do so for ever; the records in it were refused.
    await Promise.race([this.#drain(), this.#hanging.promise]);
  }

  async #drain(): Promise<void> {
    // Two turns: records that were taken before are written in the first.
    await this.#inTurn(() => this.#writeBatch());
    while (this.#waiting.length > 0) await this.#inTurn(() => this.#writeBatch());
    await this.#inTurn(() => this.#file.handle.close());
  }

  #append(type: string, members: string): Promise<void> {
    if (this.#isClosed) return Promise.reject(this.#failure('append', undefined, 'it is closed'));
    if (this.#waiting.length >= WAITING_RECORDS_MAX) {
      this.#failures.add(1, { sink: this.name });
      const because = `${WAITING_RECORDS_MAX} records already wait for the disk`;
      return Promise.reject(this.#failure('append', undefined, because));
    }
    if (this.#isHanging) {
      if (type !== OF_SINK) this.#failures.add(1, { sink: this.name });
      return Promise.reject(this.#failure('append', undefined, HANGS));
    }
    const written = deferred<void>();
    this.#waiting.push({ type, members, written });
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      // After this turn of the event loop, so that all its records share one write.
      setImmediate(() => void this.#inTurn(() => this.#writeBatch()));
    }
    return written.promise;
  }

  /** Runs `work` after what was begun before, whether that failed or not. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Never rejects: each record's own promise tells. */
  async #writeBatch(): Promise<void> {
    this.#isScheduled = false;
    const batch = this.#nextBatch();
    if (batch === undefined) return;
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const hang = clock.after(WRITE_MS_MAX, () => this.#hang(batch));
    try {
      await this.#write(batch.bytes);
    } catch (error) {
      this.#needsRepair = true;
      if (!this.#isHanging) this.#refuse(batch.records, this.#failure('write', error));
      return;
    } finally {
      hang.cancel();
      if (this.#isHanging) this.#hanging = deferred();
      this.#isHanging = false;
    }
    this.#head = batch.head;
    this.#health.wrote();
    this.#records.add(batch.records.length, { sink: this.name });
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    this.#writeSeconds.observe(seconds, { sink: this.name });
    for (const { written } of batch.records) written.resolve();
  }

  /** The write may end well yet: then the chain holds records of requests that were refused. */
  #hang(batch: Batch): void {
    this.#isHanging = true;
    const refused = [...batch.records, ...this.#waiting];
    this.#waiting = [];
    this.#refuse(refused, this.#failure('write', undefined, HANGS));
    this.#hanging.resolve();
  }

  #refuse(records: readonly Waiting[], failure: StrongroomError): void {
    const ofRequests = records.filter(({ type }) => type !== OF_SINK).length;
    if (ofRequests > 0) this.#failures.add(ofRequests, { sink: this.name });
    this.#health.failed(ofRequests, failure);
    for (const { written } of records) written.reject(failure);
  }

  /** Chains what waits. A record gets its place only here, so a failed write leaves no hole. */
  #nextBatch(): Batch | undefined {
    const records: Waiting[] = [];
    const lines: string[] = [];
    let head = this.#head;
    let length = 0;
    let taken = 0;
    for (const record of this.#waiting) {
      if (length >= BATCH_BYTES_MAX) break;
      taken += 1;
      const chained = this.#chain(head, record);
      if (chained === undefined) continue;
      head = chained.head;
      length += chained.line.length;
      lines.push(chained.line, '\n');
      records.push(record);
    }
    this.#waiting = this.#waiting.slice(taken);
    if (this.#waiting.length > 0 && !this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => void this.#inTurn(() => this.#writeBatch()));
    }
    return records.length === 0 ? undefined : { records, bytes: Buffer.from(lines.join('')), head };
  }

  /** `undefined` when the record cannot be a line: it alone is refused. */
  #chain(head: ChainHead, record: Waiting): ReturnType<typeof chainLine> | undefined {
    const chained = chainLine(head, record.type, record.members);
    // A character has at most three bytes of UTF-8.
    if (chained.line.length * 3 <= LINE_BYTES_MAX || fits(chained.line)) return chained;
    const because = `a record has at most ${LINE_BYTES_MAX} bytes`;
    record.written.reject(this.#failure('append', undefined, because));
    this.#failures.add(1, { sink: this.name });
    return undefined;
  }

  async #write(bytes: Buffer): Promise<void> {
    const { handle } = this.#file;
    await this.#repair();
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done);
      done += bytesWritten;
    }
    if (this.#options.fsync === true) await handle.datasync();
    this.#file.wholeBytes += bytes.length;
  }

  /** Cuts off what a failed write left: only records whose requests were refused. */
  async #repair(): Promise<void> {
    if (!this.#needsRepair) return;
    await this.#file.handle.truncate(this.#file.wholeBytes);
    this.#needsRepair = false;
  }

  #failure(doing: string, cause?: unknown, because?: string): StrongroomError {
    return sinkFailure(this.#options, doing, cause, because);
  }
}

const HANGS = `its last write has not ended within ${WRITE_MS_MAX} ms`;
const fits = (line: string) => Buffer.byteLength(line) <= LINE_BYTES_MAX;

async function openNamed(options: FileSinkOptions): Promise<ChainFile> {
  try {
    return await openChainFile(options.path);
  } catch (error) {
    if (error instanceof StrongroomError) throw error;
    throw sinkFailure(options, 'open', error);
  }
}

function sinkFailure(
  { name, path }: FileSinkOptions,
  doing: string,
  cause: unknown,
  because = cause instanceof Error ? cause.message : 'the disk refused it',
): StrongroomError {
  return new StrongroomError(
    'audit.sink-failed',
    `Cannot ${doing} the audit sink "${name}" (${path}): ${because}`,
    { cause, details: { sink: name } },
  );
}
