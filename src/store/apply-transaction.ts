import { decodeData, encodeData, encodeRange, type KeyRange } from './codec/records.ts';
import { keyText } from './disk/layer.ts';
import { dataKey, expiryKey, tombstoneKey } from './disk/places.ts';
import type { Tables } from './disk/tables.ts';
import { ABSENT, deadlineIn, type Head, type HeadCache, headOf, revisionIn } from './head-cache.ts';
import type { History } from './history.ts';
import type { KnownKeys } from './known-keys.ts';
import { hides, type RangeDeletes } from './range-deletes.ts';
import { type Put, type Rewrap, settleWrites } from './settle-writes.ts';
import type { Revision, Transaction, TransactionResult } from './transaction.ts';

/** What applying works on. */
export interface ApplyState {
  readonly tables: Tables;
  readonly history: History;
  readonly rangeDeletes: RangeDeletes;
  readonly heads: HeadCache;
  readonly knownKeys: KnownKeys;
}

export interface Applied {
  readonly result: TransactionResult;
  /** How many events watchers are told (see `EntryEvents`), */
  readonly events: number;
  /** and which deletes, by their ordinal and in order, told none because there was no record. */
  readonly silentDeletes: readonly number[];
  readonly keys: readonly Uint8Array[];
  readonly ranges: readonly KeyRange[];
  /** The revision that each written key had before, for the digest. */
  readonly before: readonly number[];
  /** How many data records there are more, or fewer. */
  readonly recordsAdded: number;
}

const NONE: readonly number[] = [];

/** What is left behind by a transaction that changed nothing. */
export const NOTHING: Omit<Applied, 'result'> = {
  events: 0,
  silentDeletes: NONE,
  keys: [],
  ranges: [],
  before: [],
  recordsAdded: 0,
};

/**
 * Applies one transaction at log index `revision`: a pure function of the state and the entry.
 *
 * What it returns and keeps are views into the entry, which is never changed.
 *
 * A known request id gives the first result again. Then every read must still hold; then all
 * writes happen, in their order, the last one of a key winning.
 */
export function applyTransaction(state: ApplyState, tx: Transaction, revision: number): Applied {
  const former = tx.requestId && state.history.revisionOf(tx.requestId);
  if (tx.requestId !== undefined && former !== undefined) {
    return unchanged(replayed(state, tx.requestId, former));
  }
  const conflict = findConflict(state, tx);
  if (conflict !== undefined) return unchanged({ kind: 'conflict', key: conflict });
  const { puts, deletes, ranges, rewraps } = settleWrites(tx.writes);
  const change = { before: [] as number[], recordsAdded: 0 };
  let silentDeletes: number[] | undefined;
  const keys: Uint8Array[] = [];
  for (const { text, write } of deletes) {
    const { key } = write;
    keys.push(key);
    const was = replace(state, text, key, revision, undefined);
    change.before.push(was.revision);
    change.recordsAdded -= was.present ? 1 : 0;
    if (was.revision === 0) (silentDeletes ??= []).push(keys.length - 1);
  }
  for (const { text, write } of puts) {
    const { key } = write;
    keys.push(key);
    const was = replace(state, text, key, revision, write);
    change.before.push(was.revision);
    change.recordsAdded += was.present ? 0 : 1;
  }
  for (const { write } of rewraps) change.before.push(rewrap(state, write, revision));
  for (const [ordinal, range] of ranges.entries()) {
    const place = tombstoneKey(revision, ordinal);
    state.tables.put(place, revision, encodeRange(place, range));
  }
  remember(state, tx, revision, keys, ranges);
  return {
    ...change,
    events: keys.length - (silentDeletes?.length ?? 0),
    silentDeletes: silentDeletes ?? NONE,
    keys,
    ranges,
    result: {
      kind: 'committed',
      revision: revision as Revision,
      replayed: false,
      receipt: tx.receipt,
    },
  };
}

/** What is known of the record under `key`, hidden or not: from memory, else from the disk. */
function findHead(state: ApplyState, text: string, key: Uint8Array): Head {
  const known = state.heads.get(text);
  if (known !== undefined) return known;
  if (!state.knownKeys.mayHold(key)) return ABSENT;
  const place = dataKey(key);
  const bytes = state.tables.get(place);
  const head = bytes === undefined ? ABSENT : headOf(decodeData(place, bytes));
  state.heads.set(text, head);
  return head;
}

/** The revision of a record as readers see it; 0 when absent. */
function visibleRevision(state: ApplyState, head: Head, key: Uint8Array): number {
  const revision = revisionIn(head);
  return hides(state.rangeDeletes.tombstones, key, revision) ? 0 : revision;
}

function findConflict(state: ApplyState, tx: Transaction): Uint8Array | undefined {
  for (const read of tx.reads) {
    const head = findHead(state, keyText(read.key), read.key);
    if (visibleRevision(state, head, read.key) !== read.revision) return read.key;
  }
  for (const read of tx.rangeReads ?? []) {
    const key = state.history.changedSince(read, read.revision);
    if (key !== undefined) return key;
  }
  return undefined;
}

/** Puts or deletes one record and its place in the expiry index. */
function replace(
  state: ApplyState,
  text: string,
  key: Uint8Array,
  revision: number,
  put: Put | undefined,
): { readonly present: boolean; readonly revision: number } {
  const { tables, heads } = state;
  const former = findHead(state, text, key);
  const present = former !== ABSENT;
  const deadline = deadlineIn(former);
  if (deadline !== undefined) tables.put(expiryKey(deadline, key), revision, undefined);
  const place = dataKey(key);
  if (put !== undefined) {
    const { value, expiresAtMs } = put;
    const record = { revision: revision as Revision, expiresAtMs, value };
    tables.put(place, revision, encodeData(place, record));
    heads.set(text, headOf(record));
    if (!present) state.knownKeys.add(key);
    if (expiresAtMs !== undefined) {
      tables.put(expiryKey(expiresAtMs, key), revision, new Uint8Array());
    }
  } else if (present) {
    tables.put(place, revision, undefined);
    heads.delete(text);
  }
  return { present, revision: visibleRevision(state, former, key) };
}

/** Other bytes under the same revision and deadline. @returns that revision, 0 when absent */
function rewrap(state: ApplyState, write: Rewrap, revision: number): number {
  const place = dataKey(write.key);
  const bytes = state.tables.get(place);
  if (bytes === undefined) return 0;
  const former = decodeData(place, bytes);
  if (hides(state.rangeDeletes.tombstones, write.key, former.revision)) return 0;
  const record = { ...former, value: write.value };
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
  state.history.add(revision, { requestId, receipt: tx.receipt, keys, ranges });
}

function replayed(state: ApplyState, requestId: Uint8Array, former: number): TransactionResult {
  return {
    kind: 'committed',
    revision: former as Revision,
    replayed: true,
    receipt: state.history.receiptOf(requestId, (place) => state.tables.get(place)),
  };
}

function unchanged(result: TransactionResult): Applied {
  return { ...NOTHING, result };
}
