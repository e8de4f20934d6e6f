import type { Clock, StrongroomError } from '../lib/index.ts';
import type { Membership } from '../raft/index.ts';
import { decodeRange, type MetaRecord } from './codec/records.ts';
import { firstDigest } from './digest.ts';
import { DigestRing } from './digest-ring.ts';
import type { LevelDisk } from './disk/level-disk.ts';
import { numberIn, places, wholePlace } from './disk/places.ts';
import { type FlushLimits, Tables } from './disk/tables.ts';
import { HeadCache } from './head-cache.ts';
import { History } from './history.ts';
import { KnownKeys } from './known-keys.ts';
import type { CacheLimits, HistoryLimits } from './limits.ts';
import { RangeDeletes } from './range-deletes.ts';

/** All that changes together: one database and what is kept in memory of it. */
export interface LiveState {
  readonly name: string;
  readonly disk: LevelDisk;
  readonly tables: Tables;
  readonly history: History;
  readonly rangeDeletes: RangeDeletes;
  readonly heads: HeadCache;
  readonly knownKeys: KnownKeys;
  readonly digests: DigestRing;
  readonly progress: Progress;
}

/** How far the state is. */
export interface Progress {
  index: number;
  term: number;
  membership: Membership;
  records: number;
}

export interface LiveStateOptions {
  readonly clock: Clock;
  readonly flush: FlushLimits;
  readonly history: HistoryLimits;
  readonly cache: CacheLimits;
  readonly onFlushed: (durationMs: number) => void;
  readonly onFailed: (error: StrongroomError | Error) => void;
}

const noMembers: Membership = { voters: [], learners: [], removed: [] };

/** Brings up what is in an open database; range deletes that were under way go on. */
export async function loadState(
  name: string,
  disk: LevelDisk,
  meta: Omit<MetaRecord, 'batch'> | undefined,
  options: LiveStateOptions,
): Promise<LiveState> {
  const progress: Progress = {
    index: meta?.index ?? 0,
    term: meta?.term ?? 0,
    membership: meta?.membership ?? noMembers,
    records: meta?.records ?? 0,
  };
  const digests = new DigestRing(progress.index, meta?.digest ?? firstDigest);
  let history: History | undefined;
  const changeFloor = meta?.changeFloor ?? 0;
  const tables = new Tables({
    disk,
    clock: options.clock,
    limits: options.flush,
    cacheBytes: options.cache.valueBytes,
    onFlushed: options.onFlushed,
    onFailed: options.onFailed,
    late: {
      bytes: () => history?.unsettledBytes ?? 0,
      put() {
        for (const { place, bytes } of history?.settle() ?? []) {
          tables.put(place, progress.index, bytes);
        }
      },
    },
    meta: () => ({
      ...progress,
      digest: digests.latest(),
      changeFloor: history?.changeFloor ?? changeFloor,
    }),
  });
  using view = tables.view(progress.index);
  history = await History.load(options.history, view, { index: progress.index, changeFloor });
  const heads = new HeadCache(options.cache.headBytes);
  const onFailed = (error: unknown): void =>
    options.onFailed(error instanceof Error ? error : new Error(String(error)));
  const knownKeys = new KnownKeys({
    view: () => tables.view(progress.index),
    records: () => progress.records,
    keysMin: options.cache.filterKeysMin,
    bytesMax: options.cache.filterBytesMax,
    onFailed,
  });
  const rangeDeletes = new RangeDeletes({
    tables,
    heads,
    revision: () => progress.index,
    onRemoved: (count) => {
      progress.records -= count;
    },
    onFailed,
  });
  for await (const page of view.pages({ ...wholePlace(places.tombstone), pageSize: 100 })) {
    for (const { key, bytes } of page) {
      const { start, end } = decodeRange(key, bytes);
      const tombstone = {
        start: start.slice(),
        end: end.slice(),
        revision: numberIn(key),
        ordinal: key.readUInt32BE(9),
      };
      rangeDeletes.add(tombstone, tables.view(progress.index), undefined);
    }
  }
  knownKeys.fill();
  return { name, disk, tables, history, rangeDeletes, heads, knownKeys, digests, progress };
}
