import { transactionLimits as limits } from '../limits.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { decodeKeyRange, type KeyRange, openRecord, readFormat, sealRecord } from './records.ts';

/** What one committed transaction leaves behind: for retries and for range reads. */
export interface HistoryRecord {
  readonly requestId: Uint8Array;
  readonly receipt: Uint8Array | undefined;
  readonly keys: readonly Uint8Array[];
  readonly ranges: readonly KeyRange[];
}

/** The record of the transaction at `revision`, as `encodeHistory` made it. */
export interface HistoryEntry {
  readonly revision: number;
  readonly encoded: Uint8Array;
}

/** The records of so many revisions stand in one block at most: those of one quotient by it. */
export const BLOCK_REVISIONS = 32;

const FORMAT = 2;
/** Each transaction had a record of its own. */
const FORMER_FORMAT = 1;
const FORMATS = [FORMER_FORMAT, FORMAT];
/** Of a length that is at most what a transaction may hold. */
const LENGTH_BYTES_MAX = 4;
/** Of the difference of two revisions, and the length of a record. */
const ENTRY_BYTES = 5 + LENGTH_BYTES_MAX;
const RECORD_BYTES_MAX = 2 * limits.encodedBytesMax;

/** The part of one transaction in a block. */
export function encodeHistory(record: HistoryRecord): Uint8Array {
  const out = new ByteWriter(historyBytesMax(record)).bytes(record.requestId);
  out.u8(record.receipt === undefined ? 0 : 1).bytes(record.receipt ?? new Uint8Array());
  out.varint(record.keys.length);
  for (const key of record.keys) out.bytes(key);
  out.varint(record.ranges.length);
  for (const range of record.ranges) out.bytes(range.start).bytes(range.end);
  return out.finish();
}

/** Room that is never outgrown. */
function historyBytesMax({ requestId, receipt, keys, ranges }: HistoryRecord): number {
  let bytes = 32 + requestId.length + (receipt?.length ?? 0);
  for (const key of keys) bytes += LENGTH_BYTES_MAX + key.length;
  for (const { start, end } of ranges) bytes += 2 * LENGTH_BYTES_MAX + start.length + end.length;
  // A writer makes room for the longest number before each.
  return bytes + 8;
}

/** @throws CodecError */
export function decodeHistory(encoded: Uint8Array): HistoryRecord {
  const source = new ByteReader(encoded);
  const requestId = source.bytes(limits.requestIdBytesMax, 'request id');
  const hasReceipt = source.u8() === 1;
  const receipt = source.bytes(limits.receiptBytesMax, 'receipt');
  const keys: Uint8Array[] = [];
  for (let left = source.count(limits.writesMax, 'keys'); left > 0; left--) {
    keys.push(source.bytes(limits.keyBytesMax, 'key'));
  }
  const ranges: KeyRange[] = [];
  for (let left = source.count(limits.writesMax, 'ranges'); left > 0; left--) {
    ranges.push(decodeKeyRange(source));
  }
  source.end();
  return { requestId, receipt: hasReceipt ? receipt : undefined, keys, ranges };
}

/** `physicalKey` is the place of the first entry. */
export function sealHistoryBlock(
  physicalKey: Uint8Array,
  entries: readonly HistoryEntry[],
): Uint8Array {
  const bytes = entries.reduce((sum, { encoded }) => sum + ENTRY_BYTES + encoded.length, 32);
  const out = new ByteWriter(bytes).u8(FORMAT).varint(entries.length);
  let former = entries[0]?.revision ?? 0;
  for (const { revision, encoded } of entries) {
    out.varint(revision - former).bytes(encoded);
    former = revision;
  }
  return sealRecord(physicalKey, out);
}

/**
 * Takes a block apart; what it returns are views into `bytes`, and every record in it was looked at.
 *
 * @param first the revision in its place
 * @throws StrongroomError `store.corrupt`
 */
export function openHistoryBlock(
  physicalKey: Uint8Array,
  first: number,
  bytes: Uint8Array,
): readonly (HistoryEntry & { readonly record: HistoryRecord })[] {
  return openRecord(physicalKey, bytes, (source) => {
    const format = readFormat(source, FORMATS);
    if (format === FORMER_FORMAT) return [entryOf(first, source.raw(source.left))];
    const entries = [];
    let revision = first;
    for (let left = source.count(BLOCK_REVISIONS, 'records'); left > 0; left--) {
      revision += source.varint();
      entries.push(entryOf(revision, source.bytes(RECORD_BYTES_MAX, 'record')));
    }
    source.end();
    return entries;
  });
}

function entryOf(revision: number, encoded: Uint8Array) {
  return { revision, encoded, record: decodeHistory(encoded) };
}
