import { StrongroomError, unreachable } from '../../lib/index.ts';
import { transactionLimits as limits } from '../limits.ts';
import type { RangeRead, Read, Revision, Transaction, Write } from '../transaction.ts';
import { ByteReader, CodecError } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

const VERSION = 1;
const writeKinds = { put: 1, putExpiring: 2, delete: 3, deleteRange: 4, rewrap: 5 } as const;

/**
 * The bytes of a transaction, as they go through the log.
 *
 * @throws StrongroomError `store.transaction-too-large`; `request.invalid` for a request id of the
 *   wrong length, an empty key, or a range that ends before it starts.
 */
export function encodeTransaction(tx: Transaction): Uint8Array {
  checkBounds(tx);
  const out = new ByteWriter(1024).u8(VERSION);
  out.bytes(tx.requestId ?? new Uint8Array()).bytes(tx.receipt ?? new Uint8Array());
  out.varint(tx.reads.length);
  for (const read of tx.reads) out.bytes(read.key).varint(read.revision);
  out.varint(tx.rangeReads?.length ?? 0);
  for (const read of tx.rangeReads ?? []) {
    out.bytes(read.start).bytes(read.end).varint(read.revision);
  }
  out.varint(tx.writes.length);
  for (const write of tx.writes) encodeWrite(out, write);
  if (out.length > limits.encodedBytesMax) {
    tooLarge(`${out.length} bytes`, `${limits.encodedBytesMax} bytes`);
  }
  return out.finish();
}

/**
 * Strict: every transaction has one encoding. The parts are views into `bytes`.
 *
 * @throws StrongroomError `request.invalid`
 */
export function decodeTransaction(bytes: Uint8Array): Transaction {
  try {
    return decode(bytes);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new StrongroomError(
      'request.invalid',
      `Cannot read a transaction of ${bytes.length} bytes: ${error.message}`,
      { cause: error },
    );
  }
}

function decode(bytes: Uint8Array): Transaction {
  if (bytes.length > limits.encodedBytesMax) throw new CodecError('It is over the size limit');
  const source = new ByteReader(bytes);
  const version = source.u8();
  if (version !== VERSION) throw new CodecError(`Its format ${version} is not known here`);
  const requestId = source.bytes(limits.requestIdBytesMax, 'request id');
  if (requestId.length > 0 && requestId.length < limits.requestIdBytesMin) {
    throw new CodecError('Its request id is too short');
  }
  const receipt = source.bytes(limits.receiptBytesMax, 'receipt');
  const reads: Read[] = [];
  for (let left = source.count(limits.readsMax, 'reads'); left > 0; left--) {
    reads.push({ key: decodeKey(source), revision: source.varint() as Revision });
  }
  const rangeReads: RangeRead[] = [];
  for (let left = source.count(limits.rangeReadsMax, 'range reads'); left > 0; left--) {
    rangeReads.push({ ...decodeRange(source), revision: source.varint() as Revision });
  }
  const writes: Write[] = [];
  for (let left = source.count(limits.writesMax, 'writes'); left > 0; left--) {
    writes.push(decodeWrite(source));
  }
  source.end();
  return {
    reads,
    writes,
    ...(rangeReads.length > 0 ? { rangeReads } : {}),
    ...(requestId.length > 0 ? { requestId } : {}),
    ...(receipt.length > 0 ? { receipt } : {}),
  };
}

function encodeWrite(out: ByteWriter, write: Write): void {
  switch (write.kind) {
    case 'put':
      if (write.expiresAtMs === undefined) out.u8(writeKinds.put);
      else out.u8(writeKinds.putExpiring).varint(write.expiresAtMs);
      out.bytes(write.key).bytes(write.value);
      return;
    case 'rewrap':
      out.u8(writeKinds.rewrap).bytes(write.key).bytes(write.value);
      return;
    case 'delete':
      out.u8(writeKinds.delete).bytes(write.key);
      return;
    case 'delete-range':
      out.u8(writeKinds.deleteRange).bytes(write.start).bytes(write.end);
      return;
    default:
      unreachable(write);
  }
}

function decodeWrite(source: ByteReader): Write {
  const kind = source.u8();
  switch (kind) {
    case writeKinds.put:
      return { kind: 'put', key: decodeKey(source), value: decodeValue(source) };
    case writeKinds.putExpiring: {
      const expiresAtMs = source.varint();
      return { kind: 'put', key: decodeKey(source), value: decodeValue(source), expiresAtMs };
    }
    case writeKinds.rewrap:
      return { kind: 'rewrap', key: decodeKey(source), value: decodeValue(source) };
    case writeKinds.delete:
      return { kind: 'delete', key: decodeKey(source) };
    case writeKinds.deleteRange:
      return { kind: 'delete-range', ...decodeRange(source) };
    default:
      throw new CodecError(`A write has the unknown kind ${kind}`);
  }
}

function decodeKey(source: ByteReader): Uint8Array {
  const key = source.bytes(limits.keyBytesMax, 'key');
  if (key.length === 0) throw new CodecError('A key is empty');
  return key;
}

function decodeValue(source: ByteReader): Uint8Array {
  return source.bytes(limits.encodedBytesMax, 'value');
}

/** The start may be empty: from the first key on. */
function decodeRange(source: ByteReader): { start: Uint8Array; end: Uint8Array } {
  const start = source.bytes(limits.keyBytesMax, 'range start');
  const end = source.bytes(limits.keyBytesMax, 'range end');
  if (Buffer.compare(start, end) > 0) throw new CodecError('A range ends before it starts');
  return { start, end };
}

function checkBounds(tx: Transaction): void {
  const id = tx.requestId?.length;
  if (id !== undefined && (id < limits.requestIdBytesMin || id > limits.requestIdBytesMax)) {
    invalid(`its request id has ${id} bytes, it takes 16 to 64`);
  }
  atMost(tx.reads.length, limits.readsMax, 'reads');
  atMost(tx.rangeReads?.length ?? 0, limits.rangeReadsMax, 'range reads');
  atMost(tx.writes.length, limits.writesMax, 'writes');
  atMost(tx.receipt?.length ?? 0, limits.receiptBytesMax, 'bytes of receipt');
  for (const read of tx.reads) checkKey(read.key);
  for (const read of tx.rangeReads ?? []) checkRange(read);
  for (const write of tx.writes) {
    if (write.kind === 'delete-range') checkRange(write);
    else checkKey(write.key);
    if (write.kind === 'put') checkDeadline(write.expiresAtMs);
  }
}

function checkKey(key: Uint8Array): void {
  if (key.length === 0) invalid('a key is empty');
  atMost(key.length, limits.keyBytesMax, 'bytes of key');
}

function checkRange(range: { readonly start: Uint8Array; readonly end: Uint8Array }): void {
  atMost(range.start.length, limits.keyBytesMax, 'bytes of range start');
  atMost(range.end.length, limits.keyBytesMax, 'bytes of range end');
  if (Buffer.compare(range.start, range.end) > 0) invalid('a range ends before it starts');
}

function checkDeadline(expiresAtMs: number | undefined): void {
  if (expiresAtMs === undefined) return;
  if (!Number.isSafeInteger(expiresAtMs) || expiresAtMs < 0) {
    invalid('a deadline is not a whole number of milliseconds');
  }
}

function atMost(count: number, max: number, what: string): void {
  if (count > max) tooLarge(`${count} ${what}`, `${max}`);
}

function tooLarge(has: string, max: string): never {
  throw new StrongroomError(
    'store.transaction-too-large',
    `Cannot encode a transaction: it has ${has}, at most ${max} are allowed. Split it`,
  );
}

function invalid(because: string): never {
  throw new StrongroomError('request.invalid', `Cannot encode a transaction: ${because}`);
}
