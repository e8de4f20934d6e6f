import { type Clock, StrongroomError, type Timer } from '../../lib/index.ts';
import type { MetaRecord } from '../codec/records.ts';
import { keyText, Layer } from './layer.ts';
import type { LevelDisk } from './level-disk.ts';
import { PhysicalView } from './physical-view.ts';
import { places } from './places.ts';
import { ValueCache } from './value-cache.ts';

export interface FlushLimits {
  /** A layer is sealed when it has so many bytes, */
  readonly layerBytes: number;
  /** or so many keys, */
  readonly layerKeys: number;
  /** or is this old. What is younger is replayed from the log after a crash. */
  readonly layerAgeMs: number;
  /** Above this `room()` makes its caller wait. */
  readonly unflushedBytesMax: number;
}

export const flushLimits: FlushLimits = {
  layerBytes: 1024 * 1024,
  layerKeys: 4096,
  layerAgeMs: 200,
  unflushedBytesMax: 8 * 1024 * 1024,
};

interface TablesOptions {
  readonly disk: LevelDisk;
  readonly clock: Clock;
  readonly limits: FlushLimits;
  /** For the newest data records. */
  readonly cacheBytes: number;
  /** What is put only when it is needed, so that much of it goes into one record. */
  readonly late?: { readonly bytes: () => number; readonly put: () => void };
  /** What to write beside a layer that is sealed now. */
  readonly meta: () => Omit<MetaRecord, 'batch'>;
  readonly onFlushed: (durationMs: number) => void;
  readonly onFailed: (error: StrongroomError) => void;
}

/** All physical keys: what is on disk, under what is on its way there. */
export class Tables implements AsyncDisposable {
  readonly #options: TablesOptions;
  readonly #values: ValueCache;
  #active = new Layer();
  #sealed: Layer | undefined;
  #durable: number;
  #flushing: Promise<void> | undefined;
  #age: Timer | undefined;
  #failure: StrongroomError | undefined;

  constructor(options: TablesOptions) {
    this.#options = options;
    this.#durable = options.meta().index;
    this.#values = new ValueCache(options.cacheBytes);
  }

  /** The last index that would survive a power cut. */
  get durable(): number {
    return this.#durable;
  }

  get unflushedBytes(): number {
    return this.#activeBytes + (this.#sealed?.bytes ?? 0);
  }

  get #activeBytes(): number {
    return this.#active.bytes + (this.#options.late?.bytes() ?? 0);
  }

  get(key: Buffer): Uint8Array | undefined {
    const text = keyText(key);
    const version =
      this.#active.read(text, Number.MAX_SAFE_INTEGER) ??
      this.#sealed?.read(text, Number.MAX_SAFE_INTEGER);
    if (version !== undefined) return version.bytes;
    const cached = this.#values.get(text);
    if (cached !== undefined) return cached.bytes;
    // What is being written may be on disk already, but then a layer has answered.
    return this.#options.disk.get(key);
  }

  put(key: Buffer, revision: number, bytes: Uint8Array | undefined): void {
    const text = keyText(key);
    this.#active.put(text, key, revision, bytes);
    if (key[0] === places.data) this.#values.write(text, revision, bytes);
  }

  /** Puts what is late: without it a view of now lacks that. */
  settle(): void {
    this.#options.late?.put();
  }

  view(revision: number): PhysicalView {
    const layers = this.#sealed === undefined ? [this.#active] : [this.#active, this.#sealed];
    return new PhysicalView(revision, layers, this.#values, this.#options.disk.snapshot());
  }

  /** Called between two batches: starts to write when enough has come together, or soon. */
  applied(): void {
    const { limits, clock } = this.#options;
    if (this.#activeBytes >= limits.layerBytes || this.#active.count >= limits.layerKeys) {
      this.#startFlush();
    } else {
      this.#age ??= clock.after(limits.layerAgeMs, () => {
        this.#age = undefined;
        this.#startFlush();
      });
    }
  }

  /** Undefined when more may be applied, else resolves when it may. */
  room(): Promise<void> | undefined {
    if (this.unflushedBytes < this.#options.limits.unflushedBytesMax) return undefined;
    this.#startFlush();
    return this.#flushing;
  }

  /** Resolves when all that is applied up to `index` is on disk. @throws `store.disk-failed` */
  async flush(index: number): Promise<void> {
    this.checkHealthy();
    while (this.#durable < index) {
      this.#startFlush();
      await this.#flushing;
      this.checkHealthy();
    }
  }

  checkHealthy(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Stops writing; views stay readable. What was not flushed is left to the log. */
  async retire(): Promise<void> {
    this.#age?.cancel();
    await this.#flushing;
    this.#failure ??= new StrongroomError('raft.stopped', 'Cannot change a state that was closed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#failure === undefined) await this.flush(this.#options.meta().index);
    await this.retire();
    await this.#options.disk.close();
  }

  #startFlush(): void {
    if (this.#flushing !== undefined || this.#failure !== undefined) return;
    this.#age?.cancel();
    this.#age = undefined;
    this.#flushing = this.#flush();
  }

  async #flush(): Promise<void> {
    const { disk, meta, clock } = this.#options;
    const startMs = clock.monotonicMs();
    this.settle();
    const state = meta();
    this.#sealed = this.#active;
    this.#active = new Layer();
    try {
      await disk.write(this.#sealed, state);
    } catch (cause) {
      // The layers stay, so reads are still right; nothing new is taken, and no write is repeated.
      this.#failure = new StrongroomError(
        'store.disk-failed',
        `Cannot write the state at index ${state.index} to disk; the node must stop. See the cause`,
        { cause },
      );
      this.#flushing = undefined;
      this.#options.onFailed(this.#failure);
      return;
    }
    this.#sealed = undefined;
    this.#durable = state.index;
    this.#flushing = undefined;
    this.#options.onFlushed(clock.monotonicMs() - startMs);
    if (this.#active.count > 0) this.applied();
  }
}
