import { type Barrier, SEALED_SPACE } from '../../barrier/index.ts';
import { type Cancellation, type Clock, concatBytes, deferred, hasCode } from '../../lib/index.ts';
import type { StoredEntry, Transaction, TransactionResult, View } from '../../store/index.ts';
import type { Logger, Metrics } from '../../telemetry/index.ts';
import { systemKey } from './system-record.ts';

/** Records looked at, and at most rewrapped, in one transaction. */
const BATCH_ENTRIES = 64;
const CURSOR_RECORD = 'rewrap-cursor';
const END_OF_SEALED = Uint8Array.of(SEALED_SPACE + 1);

export interface RewrapSweeperOptions {
  /** A fresh view each call; the sweeper disposes it. */
  readonly view: () => View;
  readonly barrier: Barrier;
  /** Proposes to the cluster. Only the leader's sweeper should run. */
  readonly commit: (transaction: Transaction, signal: Cancellation) => Promise<TransactionResult>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Bound of the load that a sweep makes: records looked at a second. */
  readonly recordsPerSecondMax: number;
}

export interface SweepResult {
  readonly epoch: number;
  readonly looked: number;
  readonly rewrapped: number;
  /** Changed by somebody else meanwhile, which sealed them under the present epoch or will be found
   * by the next sweep. */
  readonly conflicts: number;
  /** Records that do not open. They keep their epoch from being dropped until they are mended. */
  readonly damaged: number;
  /**
   * True when the whole space was looked at from its start and nothing old was found: older epochs
   * may then be dropped from the keyring. A sweep that rewrapped anything is not clean: run another.
   */
  readonly isClean: boolean;
}

export interface RewrapSweeper {
  /**
   * One sweep to the end of the sealed space. Goes on where an interrupted one for the same epoch
   * stopped, on any node. Rejects with the signal's reason, or what `commit` raises.
   */
  sweep(signal: Cancellation): Promise<SweepResult>;
}

/**
 * Seals what is stored under old epochs again under the present one, in the background. Writers are
 * not stopped: each batch applies only where the record still has the revision that was read. A
 * rewrap keeps revision and deadline, so no reader, watcher or running transaction notices.
 */
export function rewrapSweeper(options: RewrapSweeperOptions): RewrapSweeper {
  return new BackgroundSweeper(options);
}

interface Batch {
  readonly looked: number;
  readonly old: readonly StoredEntry[];
  /** Where the next batch begins; `undefined` at the end. */
  readonly next: Uint8Array | undefined;
}

class BackgroundSweeper implements RewrapSweeper {
  readonly #options: RewrapSweeperOptions;
  readonly #rewrapped;
  readonly #damaged;

  constructor(options: RewrapSweeperOptions) {
    this.#options = options;
    this.#rewrapped = options.metrics.counter({
      name: 'strongroom_barrier_rewrapped_records_total',
      help: 'Records sealed again under the present epoch',
    });
    this.#damaged = options.metrics.counter({
      name: 'strongroom_barrier_damaged_records_total',
      help: 'Records that a rewrap sweep found it cannot open',
    });
  }

  async sweep(signal: Cancellation): Promise<SweepResult> {
    const { barrier, log } = this.#options;
    const epoch = barrier.epoch;
    const startedAt = this.#resumeFrom(epoch);
    const total = { looked: 0, rewrapped: 0, conflicts: 0, damaged: 0 };
    let from: Uint8Array | undefined = startedAt ?? Uint8Array.of(SEALED_SPACE);
    while (from !== undefined) {
      signal.throwIfAborted();
      const batch: Batch = await this.#read(from, epoch);
      total.looked += batch.looked;
      const writes = this.#reseal(batch.old);
      total.damaged += batch.old.length - writes.length;
      if (writes.length > 0) {
        const committed = await this.#commit(writes, batch.next, epoch, signal);
        total.rewrapped += committed;
        total.conflicts += writes.length - committed;
      }
      from = batch.next;
      if (from !== undefined) await this.#pause(batch.looked, signal);
    }
    if (startedAt !== undefined || total.rewrapped > 0) await this.#forgetCursor(signal);
    const found = total.rewrapped + total.conflicts + total.damaged;
    const isClean = startedAt === undefined && found === 0 && barrier.epoch === epoch;
    const result = { epoch, ...total, isClean };
    log.info({ ...result }, 'Swept the sealed records');
    return result;
  }

  /** `undefined`: from the start. A cursor of another epoch means nothing for this one. */
  #resumeFrom(epoch: number): Uint8Array | undefined {
    using view = this.#options.view();
    const cursor = view.get(systemKey(CURSOR_RECORD))?.value;
    if (cursor === undefined || cursor.length < 5) return undefined;
    const cursorEpoch = new DataView(cursor.buffer, cursor.byteOffset).getUint32(0);
    return cursorEpoch === epoch ? cursor.slice(4) : undefined;
  }

  async #read(start: Uint8Array, epoch: number): Promise<Batch> {
    using view = this.#options.view();
    const entries = await view.range({ start, end: END_OF_SEALED, limit: BATCH_ENTRIES });
    const last = entries.at(-1);
    const isEnd = last === undefined || entries.length < BATCH_ENTRIES;
    return {
      looked: entries.length,
      old: entries.filter(({ value }) => this.#isOld(value, epoch)),
      next: isEnd ? undefined : concatBytes(last.key, Uint8Array.of(0)),
    };
  }

  #isOld(value: Uint8Array, epoch: number): boolean {
    try {
      return this.#options.barrier.epochOf(value) < epoch;
    } catch (error) {
      if (hasCode(error, 'barrier.tampered')) return true;
      throw error;
    }
  }

  #reseal(entries: readonly StoredEntry[]): readonly (StoredEntry & { sealed: Uint8Array })[] {
    const { barrier, log } = this.#options;
    const resealed: (StoredEntry & { sealed: Uint8Array })[] = [];
    for (const entry of entries) {
      try {
        const place = barrier.openPlace(entry.key);
        const plaintext = barrier.openValue(place, entry.value);
        resealed.push({ ...entry, sealed: barrier.sealValue(place, plaintext) });
        plaintext.fill(0);
      } catch (error) {
        if (!hasCode(error, 'barrier.tampered', 'barrier.no-namespace-key')) throw error;
        this.#damaged.add();
        log.error(
          { code: error.code, revision: entry.revision },
          'A stored record does not open and was left as it is',
        );
      }
    }
    return resealed;
  }

  /** How many were rewrapped. After a conflict each is tried alone, so one busy record holds up no other. */
  async #commit(
    writes: readonly (StoredEntry & { sealed: Uint8Array })[],
    next: Uint8Array | undefined,
    epoch: number,
    signal: Cancellation,
  ): Promise<number> {
    const together = await this.#options.commit(rewrapOf(writes, next, epoch), signal);
    let count = together.kind === 'committed' ? writes.length : 0;
    if (together.kind === 'conflict') {
      for (const write of writes) {
        const alone = await this.#options.commit(rewrapOf([write], next, epoch), signal);
        if (alone.kind === 'committed') count += 1;
      }
    }
    this.#rewrapped.add(count);
    return count;
  }

  async #forgetCursor(signal: Cancellation): Promise<void> {
    const key = systemKey(CURSOR_RECORD);
    await this.#options.commit({ reads: [], writes: [{ kind: 'delete', key }] }, signal);
  }

  /** Spreads the looking out over time. */
  async #pause(looked: number, signal: Cancellation): Promise<void> {
    signal.throwIfAborted();
    const done = deferred<void>();
    const delayMs = (looked * 1000) / this.#options.recordsPerSecondMax;
    const timer = this.#options.clock.after(delayMs, () => done.resolve());
    const abort = () => {
      timer.cancel();
      done.reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      await done.promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}

/** The rewraps with the cursor behind them, so that another leader goes on where this one stopped. */
function rewrapOf(
  writes: readonly (StoredEntry & { sealed: Uint8Array })[],
  next: Uint8Array | undefined,
  epoch: number,
): Transaction {
  const cursor = new Uint8Array(4);
  new DataView(cursor.buffer).setUint32(0, epoch);
  return {
    reads: writes.map(({ key, revision }) => ({ key, revision })),
    writes: [
      ...writes.map(({ key, sealed }) => ({ kind: 'rewrap' as const, key, value: sealed })),
      ...(next === undefined
        ? []
        : [
            {
              kind: 'put' as const,
              key: systemKey(CURSOR_RECORD),
              value: concatBytes(cursor, next),
            },
          ]),
    ],
  };
}
