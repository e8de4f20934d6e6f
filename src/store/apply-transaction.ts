import { unreachable } from '../lib/index.ts';
import {
  decodeData,
  decodeHistory,
  encodeData,
  encodeHistory,
  encodeRange,
  type KeyRange,
} from './codec/records.ts';
import { keyBytes, keyText } from './disk/layer.ts';
import { dataKey, expiryKey, historyKey, tombstoneKey } from './disk/places.ts';
import type { Tables } from './disk/tables.ts';
import { type History, inRange } from './history.ts';
import { hides, type RangeDeletes } from './range-deletes.ts';
import type { Revision, Transaction, TransactionResult, Write } from './transaction.ts';
import type { WatchEvent } from './view.ts';

type Put = Extract<Write, { kind: 'put' }>;
type Rewrap = Extract<Write, { kind: 'rewrap' }>;

/** What applying works on. */
export interface ApplyState {
  readonly tables: Tables;
  readonly history: History;
  readonly rangeDeletes: RangeDeletes;
}

export interface Applied {
  readonly result: TransactionResult;
  /** Told to watchers: one event a key. What ranges deleted is not in it. */
  readonly events: readonly WatchEvent[];
  readonly keys: readonly Uint8Array[];
  readonly ranges: readonly KeyRange[];
  /** The revision that each written key had before, for the digest. */
  readonly before: readonly number[];
  /** How many data records there are more, or fewer. */
  readonly recordsAdded: number;
}

/**
 * Applies one transaction at log index `revision`: a pure function of the state and the entry.
 *
 * A known request id gives the first result again. Then every read must still hold; then all
 * writes happen, in their order, the last one of a key winning.
 */
export function applyTransaction(state: ApplyState, tx: Transaction, revision: number): Applied {
  const former = tx.requestId && state.history.revisionOf(tx.requestId);
  if (former !== undefined) return unchanged(replayed(state, former));
  const key = findConflict(state, tx);
  if (key !== undefined) return unchanged({ kind: 'conflict', key: key.slice() });
  const { puts, deletes, ranges, rewraps } = settleWrites(tx.writes);
  const change = { before: [] as number[], events: [] as WatchEvent[], recordsAdded: 0 };
  const keys: Uint8Array[] = [];
  for (const text of deletes) {
    const name = new Uint8Array(keyBytes(text));
    keys.push(name);
    const was = replace(state, name, revision, undefined);
    change.before.push(was.revision);
    change.recordsAdded -= was.present ? 1 : 0;
    if (was.revision > 0) {
      change.events.push({ kind: 'delete', key: name, revision: revision as Revision });
    }
  }
  for (const put of puts.values()) {
    const [name, value] = [put.key.slice(), put.value.slice()];
    keys.push(name);
    const was = replace(state, name, revision, { ...put, value });
    change.before.push(was.revision);
    change.recordsAdded += was.present ? 0 : 1;
    change.events.push({ kind: 'put', key: name, value, revision: revision as Revision });
  }
  for (const write of rewraps.values()) change.before.push(rewrap(state, write, revision));
  for (const [ordinal, range] of ranges.entries()) {
    const place = tombstoneKey(revision, ordinal);
    state.tables.put(place, revision, encodeRange(place, range));
  }
  remember(state, tx, revision, keys, ranges);
  const receipt = tx.receipt?.slice();
  return {
    ...change,
    keys,
    ranges,
    result: { kind: 'committed', revision: revision as Revision, replayed: false, receipt },
  };
}

/** The present revision of a key as readers see it; 0 when absent. */
function revisionOf(state: ApplyState, key: Uint8Array): number {
  const place = dataKey(key);
  const bytes = state.tables.get(place);
  if (bytes === undefined) return 0;
  const record = decodeData(place, bytes);
  return hides(state.rangeDeletes.tombstones, key, record) ? 0 : record.revision;
}

function findConflict(state: ApplyState, tx: Transaction): Uint8Array | undefined {
  for (const read of tx.reads) {
    if (revisionOf(state, read.key) !== read.revision) return read.key;
  }
  for (const read of tx.rangeReads ?? []) {
    const key = state.history.changedSince(read, read.revision);
    if (key !== undefined) return key;
  }
  return undefined;
}

/** Each key at most once, and the ranges, with the order of writes resolved. */
function settleWrites(writes: readonly Write[]): {
  readonly rewraps: ReadonlyMap<string, Rewrap>;
  readonly puts: ReadonlyMap<string, Put>;
  readonly deletes: ReadonlySet<string>;
  readonly ranges: readonly KeyRange[];
} {
  const puts = new Map<string, Put>();
  const deletes = new Set<string>();
  const rewraps = new Map<string, Rewrap>();
  const ranges: KeyRange[] = [];
  for (const write of writes) {
    switch (write.kind) {
      case 'put': {
        const text = keyText(write.key);
        deletes.delete(text);
        rewraps.delete(text);
        puts.set(text, write);
        break;
      }
      case 'rewrap': {
        const text = keyText(write.key);
        const put = puts.get(text);
        if (put !== undefined) puts.set(text, { ...put, value: write.value });
        else if (!deletes.has(text)) rewraps.set(text, write);
        break;
      }
      case 'delete': {
        const text = keyText(write.key);
        puts.delete(text);
        rewraps.delete(text);
        deletes.add(text);
        break;
      }
      case 'delete-range':
        for (const [text, put] of puts) {
          if (!inRange(put.key, write)) continue;
          puts.delete(text);
          deletes.add(text);
        }
        if (Buffer.compare(write.start, write.end) < 0) {
          ranges.push({ start: write.start.slice(), end: write.end.slice() });
        }
        break;
      default:
        unreachable(write);
    }
  }
  return { puts, deletes, ranges, rewraps };
}

/** Puts or deletes one record and its place in the expiry index. */
function replace(
  state: ApplyState,
  key: Uint8Array,
  revision: number,
  put: Put | undefined,
): { readonly present: boolean; readonly revision: number } {
  const { tables, rangeDeletes } = state;
  const place = dataKey(key);
  const bytes = tables.get(place);
  const former = bytes && decodeData(place, bytes);
  if (former?.expiresAtMs !== undefined) {
    tables.put(expiryKey(former.expiresAtMs, key), revision, undefined);
  }
  if (put !== undefined) {
    const { value, expiresAtMs } = put;
    const record = { revision: revision as Revision, expiresAtMs, value };
    tables.put(place, revision, encodeData(place, record));
    if (expiresAtMs !== undefined) {
      tables.put(expiryKey(expiresAtMs, key), revision, new Uint8Array());
    }
  } else if (former !== undefined) {
    tables.put(place, revision, undefined);
  }
  const seen = former !== undefined && !hides(rangeDeletes.tombstones, key, former);
  return { present: former !== undefined, revision: seen ? former.revision : 0 };
}

/** Other bytes under the same revision and deadline. @returns that revision, 0 when absent */
function rewrap(state: ApplyState, write: Rewrap, revision: number): number {
  const place = dataKey(write.key);
  const bytes = state.tables.get(place);
  if (bytes === undefined) return 0;
  const former = decodeData(place, bytes);
  if (hides(state.rangeDeletes.tombstones, write.key, former)) return 0;
  const record = { ...former, value: write.value.slice() };
  state.tables.put(place, revision, encodeData(place, record));
  return former.revision;
}

function remember(
  state: ApplyState,
  tx: Transaction,
  revision: number,
  keys: readonly Uint8Array[],
  ranges: readonly KeyRange[],
): void {
  if (tx.requestId === undefined && keys.length === 0 && ranges.length === 0) return;
  const requestId = tx.requestId ?? new Uint8Array();
  const record = { requestId, receipt: tx.receipt, keys, ranges };
  const place = historyKey(revision);
  state.tables.put(place, revision, encodeHistory(place, record));
  state.history.add(revision, record);
}

/** The receipt of the transaction that was applied at `revision`. */
export function receiptAt(tables: Tables, revision: number): Uint8Array | undefined {
  const place = historyKey(revision);
  const bytes = tables.get(place);
  return bytes && decodeHistory(place, bytes).receipt?.slice();
}

function replayed(state: ApplyState, former: number): TransactionResult {
  return {
    kind: 'committed',
    revision: former as Revision,
    replayed: true,
    receipt: receiptAt(state.tables, former),
  };
}

function unchanged(result: TransactionResult): Applied {
  return { result, events: [], keys: [], ranges: [], before: [], recordsAdded: 0 };
}
