import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  asAbortSignal,
  type Cancellation,
  type Clock,
  concatBytes,
  StrongroomError,
} from '../../lib/index.ts';
import {
  openStore,
  type Store,
  type Transaction,
  type TransactionResult,
  type Write,
} from '../../store/index.ts';
import { type Logger, quietLogger, quietMetrics } from '../../telemetry/index.ts';
import { systemKey, systemRange } from '../cluster/system-records.ts';
import { invalid, openSnapshotFile, toFile } from './snapshot-file.ts';

export const RESTORING_RECORD = 'cluster/restoring';
const BATCH_BYTES = 512 * 1024;
const PAGE = 500;
const SNAPSHOT_BYTES_MAX = 1024 ** 4;
const WRITE_MS = 60_000;
const EVERYTHING = { start: new Uint8Array([0]), end: new Uint8Array([0xff]) };

/** What stays as it is when a snapshot is restored: who the cluster is, not what it keeps. */
const kept = [
  'audit/',
  'cluster/next-node',
  'cluster/restoring',
  'integrity/',
  'join-tokens/',
  'members/',
] as const;

export interface SnapshotKeeperOptions {
  readonly store: Store;
  readonly commit: (transaction: Transaction, signal: Cancellation) => Promise<TransactionResult>;
  readonly clusterId: string;
  /** For the copy that is verified before anything is changed. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Snapshots for operators. A restore goes through the log like any write, in batches, behind a
 * marker that keeps every node from serving half of it; cut short, it is run again.
 */
export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  #busy = false;

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
  }

  /** Whether a restore is under way, or was cut short. */
  get isRestoring(): boolean {
    using view = this.#options.store.view();
    return view.get(systemKey(RESTORING_RECORD)) !== undefined;
  }

  async *save(): AsyncGenerator<Uint8Array> {
    const { store, clusterId, clock } = this.#options;
    await using source = await store.openSnapshot();
    const { index, term, membership } = source.meta;
    const { voters, learners, removed } = membership;
    const header = {
      clusterId,
      takenAtMs: clock.wallMs(),
      index,
      term,
      membership: { voters: [...voters], learners: [...learners], removed: [...removed] },
    };
    yield* toFile(header, source.chunks());
  }

  /**
   * Replaces everything but the cluster's own records. The whole file is verified first.
   *
   * @returns the revision after it.
   * @throws StrongroomError `store.snapshot-invalid` with nothing changed.
   */
  async restore(bytes: AsyncIterable<Uint8Array>, signal: Cancellation): Promise<number> {
    if (this.#busy) {
      throw new StrongroomError('cluster.restoring', 'Cannot restore: another restore is running');
    }
    this.#busy = true;
    const folder = join(this.#options.folder, 'restore');
    try {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = join(folder, 'file');
      await pipeline(bounded(bytes), createWriteStream(file, { mode: 0o600 }), {
        signal: asAbortSignal(signal),
      });
      await using staged = await this.#stage(file, join(folder, 'state'));
      return await this.#replaceBy(staged);
    } finally {
      this.#busy = false;
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Installs the file into a store of its own: whatever is wrong with it is found there. */
  async #stage(file: string, directory: string): Promise<Store> {
    const opened = await openSnapshotFile(createReadStream(file));
    if (opened.header.clusterId !== this.#options.clusterId) {
      throw invalid('it is of another cluster, whose seal cannot be opened here');
    }
    const staged = await openStore({
      directory,
      clock: this.#options.clock,
      log: quietLogger,
      metrics: quietMetrics,
    });
    try {
      await staged.installSnapshot(opened.meta, opened.chunks);
      using view = staged.view();
      if (view.get(systemKey('seal/layout')) === undefined) {
        throw invalid('it was taken before the cluster was initialised');
      }
      return staged;
    } catch (error) {
      await staged[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #replaceBy(staged: Store): Promise<number> {
    const { log } = this.#options;
    log.warn({ revision: staged.revision }, 'Restoring a snapshot');
    await this.#write([
      { kind: 'put', key: systemKey(RESTORING_RECORD), value: new Uint8Array(1) },
    ]);
    await this.#clear();
    await this.#fill(staged);
    const done = await this.#write([{ kind: 'delete', key: systemKey(RESTORING_RECORD) }]);
    log.warn({ revision: done }, 'The snapshot is restored');
    return done;
  }

  async #clear(): Promise<void> {
    // Between the kept names, in order, everything goes.
    let start: Uint8Array = EVERYTHING.start;
    const writes: Write[] = [];
    for (const name of kept) {
      const { start: from, end: to } = systemRange(name);
      writes.push({ kind: 'delete-range', start, end: from });
      start = to;
    }
    writes.push({ kind: 'delete-range', start, end: EVERYTHING.end });
    await this.#write(writes);
  }

  async #fill(staged: Store): Promise<void> {
    const deadlines = await deadlinesOf(staged);
    let writes: Write[] = [];
    let bytes = 0;
    for await (const { key, value } of recordsOf(staged)) {
      if (isKept(key)) continue;
      const expiresAtMs = deadlines.get(Buffer.from(key).toString('latin1'));
      writes.push({
        kind: 'put',
        key,
        value,
        ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
      });
      bytes += key.length + value.length;
      if (bytes < BATCH_BYTES) continue;
      await this.#write(writes);
      writes = [];
      bytes = 0;
    }
    if (writes.length > 0) await this.#write(writes);
  }

  async #write(writes: readonly Write[]): Promise<number> {
    const limit = AbortSignal.timeout(WRITE_MS);
    const result = await this.#options.commit({ reads: [], writes }, limit);
    if (result.kind === 'committed') return result.revision;
    throw new StrongroomError('store.conflict', 'Cannot restore: the state was changed meanwhile');
  }
}

async function* recordsOf(store: Store) {
  let start: Uint8Array = EVERYTHING.start;
  using view = store.view();
  for (;;) {
    const page = await view.range({ start, end: EVERYTHING.end, limit: PAGE });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    start = concatBytes(last.key, Uint8Array.of(0));
  }
}

/** Deadlines are not part of what a view tells, so they are asked for by themselves. */
async function deadlinesOf(store: Store): Promise<ReadonlyMap<string, number>> {
  const due = await store.expired(Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER);
  return new Map(
    due.map(({ key, expiresAtMs }) => [Buffer.from(key).toString('latin1'), expiresAtMs]),
  );
}

function isKept(key: Uint8Array): boolean {
  return kept.some((name) => {
    const { start, end } = systemRange(name);
    return Buffer.compare(key, start) >= 0 && Buffer.compare(key, end) < 0;
  });
}

async function* bounded(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > SNAPSHOT_BYTES_MAX) {
      throw new StrongroomError('request.too-large', 'Cannot restore a snapshot of over 1 TiB');
    }
    yield chunk;
  }
}
