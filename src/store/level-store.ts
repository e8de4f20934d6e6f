import { type Cancellation, deferred, invariant, StrongroomError } from '../lib/index.ts';
import type {
  Entry,
  LogIndex,
  Membership,
  SnapshotMeta,
  SnapshotSource,
  Term,
} from '../raft/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { type Applied, applyTransaction, NOTHING } from './apply-transaction.ts';
import type { KeyRange } from './codec/records.ts';
import { decodeTransaction } from './codec/transaction-codec.ts';
import { LevelDisk } from './disk/level-disk.ts';
import type { StateDirectory } from './disk/state-directory.ts';
import { EntryEvents } from './entry-events.ts';
import { expiredKeys } from './expired-keys.ts';
import { transactionLimits as limits } from './limits.ts';
import { type LiveState, type LiveStateOptions, loadState } from './live-state.ts';
import { RANGE_EVENTS_MAX } from './range-deletes.ts';
import { readSnapshot } from './snapshot/read-snapshot.ts';
import { snapshotChunks } from './snapshot/write-snapshot.ts';
import type { AppliedListener, Store } from './store.ts';
import type { StoreMetrics } from './store-metrics.ts';
import { StoreView } from './store-view.ts';
import type { Revision, Transaction, TransactionResult } from './transaction.ts';
import { type StateContent, verifyState } from './verify-state.ts';
import type { ExpiredKey, View, WatchEvent } from './view.ts';
import type { WatchHub } from './watch-hub.ts';

interface LevelStoreOptions {
  readonly directory: StateDirectory;
  readonly state: LiveState;
  readonly stateOptions: LiveStateOptions;
  readonly hub: WatchHub;
  readonly log: Logger;
  readonly metrics: StoreMetrics;
  /** Told of each record that a reader found damaged. */
  readonly onCorrupt: (error: StrongroomError) => void;
}

/** Range deletes that may wait to be worked off before `room` makes its caller wait. */
const RANGE_DELETES_MAX = 64;
/** No key is longer, so this is after every one. */
const EVERYTHING: readonly KeyRange[] = [
  { start: new Uint8Array(), end: new Uint8Array(limits.keyBytesMax + 1).fill(0xff) },
];

/** The store on LevelDB. See `openStore`. */
export class LevelStore implements Store {
  readonly #options: LevelStoreOptions;
  #state: LiveState;
  readonly #listeners = new Set<AppliedListener>();
  readonly #waiters = new Set<{ readonly revision: number; readonly wake: () => void }>();
  readonly #closing: Promise<void>[] = [];
  #installing = false;
  /** The first revision of the batch that was applied last. */
  #batchFirst: number;

  constructor(options: LevelStoreOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#batchFirst = this.revision;
  }

  get revision(): Revision {
    return this.#state.progress.index as Revision;
  }

  applied(): { index: LogIndex; term: Term; membership: Membership } {
    const { index, term, membership } = this.#state.progress;
    return { index: index as LogIndex, term: term as Term, membership };
  }

  apply(
    entries: readonly Entry[],
    membershipAfter: Membership,
  ): readonly (TransactionResult | undefined)[] {
    const { tables, progress } = this.#state;
    tables.checkHealthy();
    this.#batchFirst = progress.index + Math.min(1, entries.length);
    const keys: Uint8Array[] = [];
    const ranges: KeyRange[] = [];
    const results: (TransactionResult | undefined)[] = [];
    for (const entry of entries) {
      invariant(entry.index === progress.index + 1, 'Entries must be applied in order', {
        applied: progress.index,
        entry: entry.index,
      });
      const applied = this.#applyEntry(entry);
      results.push(applied?.result);
      if (applied === undefined) continue;
      for (const key of applied.keys) keys.push(key);
      for (const range of applied.ranges) ranges.push(range);
    }
    progress.membership = membershipAfter;
    tables.applied();
    this.#options.metrics.applied(results, progress.index);
    this.#announce(keys, ranges);
    return results;
  }

  room(): Promise<void> | undefined {
    const { tables, rangeDeletes } = this.#state;
    if (rangeDeletes.backlog > RANGE_DELETES_MAX) return rangeDeletes.settled();
    return tables.room();
  }

  async persist(index: LogIndex): Promise<void> {
    invariant(index <= this.revision, 'Only what is applied can be made durable', {
      index,
      applied: this.revision,
    });
    await this.#state.tables.flush(index);
  }

  view(): View {
    const { tables, rangeDeletes, progress } = this.#state;
    return new StoreView(
      tables.view(progress.index),
      rangeDeletes.tombstones,
      this.#options.onCorrupt,
    );
  }

  async whenApplied(revision: Revision, signal: Cancellation): Promise<void> {
    if (this.revision >= revision) return;
    signal.throwIfAborted();
    const { promise, resolve, reject } = deferred<void>();
    const waiter = { revision, wake: () => resolve() };
    const abort = (): void => reject(signal.reason);
    this.#waiters.add(waiter);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await promise;
    } finally {
      this.#waiters.delete(waiter);
      signal.removeEventListener('abort', abort);
    }
  }

  watch(
    prefix: Uint8Array,
    from: Revision,
    signal: Cancellation,
  ): AsyncIterable<readonly WatchEvent[]> {
    return this.#options.hub.watch(prefix, from, signal);
  }

  onApplied(listener: AppliedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  receiptOf(
    requestId: Uint8Array,
  ): { readonly revision: Revision; readonly receipt: Uint8Array | undefined } | undefined {
    const { history, tables } = this.#state;
    const revision = history.revisionOf(requestId);
    if (revision === undefined) return undefined;
    const receipt = history.receiptOf(requestId, (place) => tables.get(place));
    return { revision: revision as Revision, receipt };
  }

  async expired(nowMs: number, limit: number): Promise<readonly ExpiredKey[]> {
    const { tables, rangeDeletes, progress } = this.#state;
    using view = tables.view(progress.index);
    return await expiredKeys(view, rangeDeletes.tombstones, nowMs, limit);
  }

  digest(): { revision: Revision; digest: Uint8Array } {
    return { revision: this.revision, digest: this.#state.digests.latest() };
  }

  digestAt(revision: Revision): Uint8Array | undefined {
    return this.#state.digests.at(revision);
  }

  async verify(signal: Cancellation): Promise<{ readonly records: number }> {
    const { tables, progress, rangeDeletes } = this.#state;
    await rangeDeletes.settled();
    const { index, records } = progress;
    tables.settle();
    using view = tables.view(index);
    await verifyState(view, {
      signal,
      tombstones: [],
      expectedRecords: records,
      checkDeadlines: true,
    });
    return { records };
  }

  async contentAt(
    revision: Revision,
    signal: Cancellation,
    pause?: (records: number) => Promise<void>,
  ): Promise<StateContent> {
    const { tables, rangeDeletes } = this.#state;
    if (revision > this.revision || revision < this.#batchFirst) {
      throw new StrongroomError(
        'store.compacted',
        `Cannot read the state as of revision ${revision}: it is at ${this.revision}, and older ones are gone`,
      );
    }
    using view = tables.view(revision);
    return await verifyState(view, {
      signal,
      tombstones: rangeDeletes.tombstones.filter((one) => one.revision <= revision),
      checkDeadlines: rangeDeletes.backlog === 0,
      ...(pause === undefined ? {} : { pause }),
    });
  }

  async openSnapshot(): Promise<SnapshotSource> {
    const { tables, rangeDeletes, progress, history, digests } = this.#state;
    // Afterwards the count of records is that of this view.
    await rangeDeletes.settled();
    tables.checkHealthy();
    const { index, term, membership } = this.applied();
    tables.settle();
    const view = tables.view(index);
    const { tombstones } = rangeDeletes;
    const meta = { ...progress, digest: digests.latest(), changeFloor: history.changeFloor };
    return {
      meta: { index, term, membership },
      chunks: () => snapshotChunks({ view, tombstones, meta }),
      async [Symbol.asyncDispose]() {
        view[Symbol.dispose]();
      },
    };
  }

  async installSnapshot(meta: SnapshotMeta, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    invariant(!this.#installing, 'Only one snapshot may be installed at a time');
    this.#installing = true;
    const { directory, stateOptions } = this.#options;
    const staged = directory.stage();
    let disk: LevelDisk | undefined;
    try {
      ({ disk } = await LevelDisk.open(staged.path));
      const content = await readSnapshot(meta, chunks, disk);
      if (content.index <= this.revision) {
        throw new StrongroomError(
          'store.snapshot-invalid',
          `Cannot install a snapshot of index ${content.index}: ${this.revision} is applied here already`,
        );
      }
      const fresh = await loadState(staged.name, disk, content, stateOptions);
      await directory.switchTo(staged.name);
      this.#switchTo(fresh);
    } catch (error) {
      await disk?.close();
      await directory.remove(staged.name);
      throw error;
    } finally {
      this.#installing = false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { tables, rangeDeletes, knownKeys } = this.#state;
    await knownKeys.stop();
    await rangeDeletes.stop();
    await tables[Symbol.asyncDispose]();
    await Promise.all(this.#closing);
  }

  #applyEntry(entry: Entry): Applied | undefined {
    const { history, tables, progress, digests } = this.#state;
    const applied = entry.kind === 'command' ? this.#applyCommand(entry) : undefined;
    for (const key of history.forget(entry.index)) tables.put(key, entry.index, undefined);
    progress.index = entry.index;
    progress.term = entry.term;
    digests.add(entry, applied);
    return applied;
  }

  #applyCommand(entry: Entry): Applied {
    let tx: Transaction;
    try {
      tx = decodeTransaction(entry.data);
    } catch (error) {
      // It is in the log of every node, so all must pass over it alike.
      this.#options.log.error({ index: entry.index, error }, 'Refused a malformed transaction');
      const result = { kind: 'conflict', key: new Uint8Array() } as const;
      return { ...NOTHING, result };
    }
    const applied = applyTransaction(this.#state, tx, entry.index);
    this.#state.progress.records += applied.recordsAdded;
    const told = new EntryEvents(entry.index, entry.data, applied);
    if (applied.ranges.length > 0) this.#deleteRanges(entry.index, applied, told);
    else this.#options.hub.add(entry.index, told, entry.data.length);
    return applied;
  }

  /** Hides the ranges at once; watchers of this revision wait until their keys are listed. */
  #deleteRanges(revision: number, applied: Applied, told: EntryEvents): void {
    const { hub } = this.#options;
    const { tables, rangeDeletes } = this.#state;
    const events: WatchEvent[] = [];
    let left = applied.ranges.length;
    let tooMany = false;
    hub.add(revision, undefined, 0);
    for (const [ordinal, range] of applied.ranges.entries()) {
      const view = tables.view(revision);
      rangeDeletes.add({ ...range, revision, ordinal }, view, (keys) => {
        tooMany ||= keys === 'too-many' || events.length + keys.length > RANGE_EVENTS_MAX;
        if (!tooMany && keys !== 'too-many') {
          for (const key of keys) {
            events.push({ kind: 'delete', key, revision: revision as Revision });
          }
        }
        if (--left > 0) return;
        if (tooMany) hub.forget(revision);
        else hub.fill(revision, [...events, ...told.recall()]);
      });
    }
  }

  #announce(keys: readonly Uint8Array[], ranges: readonly KeyRange[]): void {
    const { revision } = this;
    for (const listener of this.#listeners) listener(keys, revision, ranges);
    this.#options.hub.advance(revision);
    for (const waiter of this.#waiters) if (waiter.revision <= revision) waiter.wake();
  }

  #switchTo(fresh: LiveState): void {
    const old = this.#state;
    this.#state = fresh;
    this.#batchFirst = fresh.progress.index;
    this.#options.hub.reset(fresh.progress.index);
    this.#announce([], EVERYTHING);
    // Views of the old state stay readable; it goes when the last one is disposed.
    const close = async (): Promise<void> => {
      await old.knownKeys.stop();
      await old.rangeDeletes.stop();
      await old.tables.retire();
      await old.disk.close();
      await this.#options.directory.remove(old.name);
    };
    this.#closing.push(close());
  }
}
