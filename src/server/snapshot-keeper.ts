import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { equalBytes, StrongroomError, utf8Text } from '../lib/index.ts';
import {
  readSnapshotRecords,
  type SnapshotRecord,
  type Store,
  type Transaction,
  type TransactionResult,
  type Write,
} from '../store/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { systemKey, systemRange } from './cluster/system-records.ts';

export const RESTORING_RECORD = 'cluster/restoring';
const BATCH_BYTES = 512 * 1024;
const SNAPSHOT_BYTES_MAX = 1024 ** 4;
const WRITE_MS = 60_000;

/** What stays as it is when a snapshot is restored: who the cluster is, not what it keeps. */
const kept = [
  'audit/',
  'cluster/next-node',
  'cluster/restoring',
  'join-tokens/',
  'members/',
] as const;

/**
 * Snapshots for operators. A restore goes through the log like any write, in batches, behind a
 * marker that keeps every node from serving half of it; cut short, it is run again.
 */
export class SnapshotKeeper {
  readonly #store: Store;
  readonly #commit: (transaction: Transaction, signal: AbortSignal) => Promise<TransactionResult>;
  readonly #clusterId: string;
  readonly #folder: string;
  readonly #log: Logger;
  #busy = false;

  constructor(options: {
    readonly store: Store;
    readonly commit: (transaction: Transaction, signal: AbortSignal) => Promise<TransactionResult>;
    readonly clusterId: string;
    /** For the copy that is verified before anything is changed. */
    readonly folder: string;
    readonly log: Logger;
  }) {
    this.#store = options.store;
    this.#commit = options.commit;
    this.#clusterId = options.clusterId;
    this.#folder = options.folder;
    this.#log = options.log;
  }

  /** Whether a restore is under way, or was cut short. */
  get isRestoring(): boolean {
    using view = this.#store.view();
    return view.get(systemKey(RESTORING_RECORD)) !== undefined;
  }

  async *save(): AsyncGenerator<Uint8Array> {
    await using source = await this.#store.openSnapshot();
    yield* source.chunks();
  }

  /**
   * Replaces everything but the cluster's own records. The whole file is verified first.
   *
   * @returns the revision after it.
   * @throws StrongroomError `store.snapshot-invalid` with nothing changed.
   */
  async restore(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> {
    if (this.#busy) {
      throw new StrongroomError('cluster.restoring', 'Cannot restore: another restore is running');
    }
    this.#busy = true;
    const file = join(this.#folder, 'restore.snapshot');
    try {
      await pipeline(bounded(chunks), createWriteStream(file, { mode: 0o600 }), { signal });
      const total = await verify(file, this.#clusterId);
      this.#log.warn({ records: total }, 'Restoring a snapshot');
      await this.#write([
        { kind: 'put', key: systemKey(RESTORING_RECORD), value: new Uint8Array(1) },
      ]);
      await this.#clear();
      await this.#fill(file);
      const done = await this.#write([{ kind: 'delete', key: systemKey(RESTORING_RECORD) }]);
      this.#log.warn({ records: total }, 'The snapshot is restored');
      return done;
    } finally {
      this.#busy = false;
      await rm(file, { force: true });
    }
  }

  async #clear(): Promise<void> {
    // Between the kept names, in order, everything goes.
    let start: Uint8Array = new Uint8Array([0]);
    const writes: Write[] = [];
    for (const name of kept) {
      const { start: from, end: to } = systemRange(name);
      writes.push({ kind: 'delete-range', start, end: from });
      start = to;
    }
    writes.push({ kind: 'delete-range', start, end: new Uint8Array([0xff]) });
    await this.#write(writes);
  }

  async #fill(file: string): Promise<void> {
    let writes: Write[] = [];
    let bytes = 0;
    for await (const part of readSnapshotRecords(createReadStream(file))) {
      if (part.kind !== 'records') continue;
      for (const record of part.records) {
        if (isKept(record)) continue;
        const { key, value, expiresAtMs } = record;
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
    }
    if (writes.length > 0) await this.#write(writes);
  }

  async #write(writes: readonly Write[]): Promise<number> {
    const result = await this.#commit({ reads: [], writes }, AbortSignal.timeout(WRITE_MS));
    if (result.kind === 'committed') return result.revision;
    throw new StrongroomError('store.conflict', 'Cannot restore: the state was changed meanwhile');
  }
}

function isKept(record: SnapshotRecord): boolean {
  return kept.some((name) => {
    const prefix = systemKey(name);
    return Buffer.compare(record.key.subarray(0, prefix.length), prefix) === 0;
  });
}

/**
 * Reads the whole file, and looks whose it is: what another cluster's seal has sealed could not be
 * opened here. @returns how many records it has.
 */
async function verify(file: string, clusterId: string): Promise<number> {
  const layoutKey = systemKey('seal/layout');
  let count = 0;
  let owner: unknown;
  for await (const part of readSnapshotRecords(createReadStream(file))) {
    if (part.kind !== 'records') continue;
    count += part.records.length;
    const layout = part.records.find(({ key }) => equalBytes(key, layoutKey));
    if (layout === undefined) continue;
    owner = (JSON.parse(utf8Text(layout.value)) as { readonly clusterId?: unknown }).clusterId;
  }
  if (owner === clusterId) return count;
  throw new StrongroomError(
    'store.snapshot-invalid',
    owner === undefined
      ? 'Cannot restore the snapshot: it was taken before the cluster was initialised'
      : 'Cannot restore the snapshot: it is of another cluster, whose seal cannot be opened here',
  );
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
