import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { type StrongroomError, systemClock } from '../../../src/lib/index.ts';
import { SystemRecords } from '../../../src/server/cluster/system-records.ts';
import { DigestRounds } from '../../../src/server/integrity/digest-rounds.ts';
import { IntegrityWatch } from '../../../src/server/integrity/integrity-watch.ts';
import { type DataRecord, decodeData, encodeData } from '../../../src/store/codec/records.ts';
import { dataKey } from '../../../src/store/disk/places.ts';
import type { Store, Transaction, TransactionResult } from '../../../src/store/index.ts';
import { quietLogger, quietMetrics } from '../../../src/telemetry/index.ts';
import { commandAt, members, open, tempDirectory } from '../../store/harness.ts';

/** Stores that are fed one log, compared by the first of them as by a leader. */
export interface Compared extends AsyncDisposable {
  readonly rounds: DigestRounds;
  readonly out: ReadonlyMap<number, StrongroomError>;
  /** One log entry, applied by all. */
  commit(transaction: Partial<Transaction>): void;
  store(node: number): Store;
  /** Opens the stores again, with `change` made to their files meanwhile. */
  restart(change: (directoryOf: (node: number) => string) => Promise<void>): Promise<void>;
}

export async function compared(
  count: number,
  options: { readonly verifyEveryMs?: number; readonly silent?: readonly number[] } = {},
): Promise<Compared> {
  const ids = Array.from({ length: count }, (_, at) => at + 1);
  const directories = new Map<number, Awaited<ReturnType<typeof tempDirectory>>>();
  for (const id of ids) directories.set(id, await tempDirectory());
  const stores = new Map<number, Store>();
  const watches = new Map<number, IntegrityWatch>();
  const out = new Map<number, StrongroomError>();
  const must = <T>(map: ReadonlyMap<number, T>, id: number): T => {
    const found = map.get(id);
    if (found === undefined) throw new Error(`There is no node ${id}`);
    return found;
  };
  const commit = (transaction: Partial<Transaction>): TransactionResult => {
    const entry = commandAt(must(stores, 1).revision + 1, transaction);
    const results = [...stores.values()].map((store) => store.apply([entry], members)[0]);
    return results[0] as TransactionResult;
  };
  const recordsOf = (id: number) =>
    new SystemRecords(must(stores, id), (transaction) => Promise.resolve(commit(transaction)));
  const openAll = async () => {
    for (const id of ids) {
      stores.set(id, await open(must(directories, id).path));
      watches.set(
        id,
        new IntegrityWatch({
          store: must(stores, id),
          records: recordsOf(id),
          node: id,
          clock: systemClock,
          log: quietLogger,
          metrics: quietMetrics,
          recordsPerSecondMax: 1_000_000,
          outOfService: (because) => void out.set(id, because),
        }),
      );
    }
    return new DigestRounds({
      store: must(stores, 1),
      records: recordsOf(1),
      isLeader: () => true,
      voters: () => ids,
      ask(node, asked) {
        if (options.silent?.includes(node) === true) return Promise.reject(new Error('Silent'));
        return must(watches, node).digests(asked, AbortSignal.timeout(1_000));
      },
      verifyEveryMs: options.verifyEveryMs ?? 0,
      clock: systemClock,
      log: quietLogger,
      metrics: quietMetrics,
    });
  };
  const closeAll = async () => {
    for (const watch of watches.values()) await watch[Symbol.asyncDispose]();
    for (const store of stores.values()) await store[Symbol.asyncDispose]();
  };
  let rounds = await openAll();
  return {
    get rounds() {
      return rounds;
    },
    out,
    commit,
    store: (node) => must(stores, node),
    async restart(change) {
      await closeAll();
      await change((node) => must(directories, node).path);
      rounds = await openAll();
    },
    async [Symbol.asyncDispose]() {
      await closeAll();
      for (const directory of directories.values()) await directory[Symbol.asyncDispose]();
    },
  };
}

/**
 * Changes a record in the files of a closed store, and its checksum with it: nothing in it tells.
 * Undefined: bytes that are no record.
 */
export async function alterRecord(
  directory: string,
  key: Uint8Array,
  change: ((record: DataRecord) => DataRecord) | undefined,
): Promise<void> {
  const live = (await readFile(join(directory, 'current'), 'utf8')).trim();
  const db = new ClassicLevel<Buffer, Buffer>(join(directory, live), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  const place = dataKey(key);
  const bytes = await db.get(place);
  if (bytes === undefined) throw new Error('There is no such record');
  const altered =
    change === undefined
      ? Buffer.from('no record')
      : Buffer.from(encodeData(place, change(decodeData(place, bytes))));
  await db.put(place, altered, { sync: true });
  await db.close();
}
