import { crc32 } from 'node:zlib';
import { StrongroomError } from '../../lib/index.ts';
import type { Membership, NodeId } from '../../raft/index.ts';
import { transactionLimits } from '../limits.ts';
import type { Revision } from '../transaction.ts';
import { ByteReader, CodecError } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

/** What stands under a key. */
export interface DataRecord {
  readonly revision: Revision;
  readonly expiresAtMs: number | undefined;
  readonly value: Uint8Array;
}

export interface KeyRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

/** Written with every batch: how far the state is. */
export interface MetaRecord {
  readonly index: number;
  readonly term: number;
  readonly membership: Membership;
  readonly digest: Uint8Array;
  /** How many batches this directory has taken. */
  readonly batch: number;
  /** How many data records there are, hidden ones included. */
  readonly records: number;
  /** Range reads at or below this revision conflict. */
  readonly changeFloor: number;
}

const FORMAT = 1;
const FORMATS = [FORMAT];
const MEMBERS_MAX = 10_000;
const CRC_BYTES = 4;

/**
 * LevelDB is used without its own checks, so each record carries a checksum over its key and its
 * bytes: a flipped bit in either is seen when it is read, also a record under a wrong key.
 */
export function sealRecord(physicalKey: Uint8Array, out: ByteWriter): Uint8Array {
  const body = out.u32(0).finish();
  const at = body.length - CRC_BYTES;
  Buffer.from(body.buffer, body.byteOffset, body.byteLength).writeUInt32BE(
    crc32(body.subarray(0, at), crc32(physicalKey)),
    at,
  );
  return body;
}

/** @throws StrongroomError `store.corrupt` */
export function openRecord<T>(
  physicalKey: Uint8Array,
  bytes: Uint8Array,
  decode: (source: ByteReader) => T,
): T {
  const at = bytes.length - CRC_BYTES;
  const found = at < 0 ? undefined : new ByteReader(bytes.subarray(at)).u32();
  if (found === undefined || found !== crc32(bytes.subarray(0, at), crc32(physicalKey))) {
    throw corrupt(physicalKey, 'its checksum does not fit');
  }
  try {
    return decode(new ByteReader(bytes.subarray(0, at)));
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw corrupt(physicalKey, error.message, error);
  }
}

export function encodeData(physicalKey: Uint8Array, record: DataRecord): Uint8Array {
  const out = new ByteWriter(record.value.length + 32).u8(FORMAT).varint(record.revision);
  out.varint(record.expiresAtMs === undefined ? 0 : record.expiresAtMs + 1).raw(record.value);
  return sealRecord(physicalKey, out);
}

export function decodeData(physicalKey: Uint8Array, bytes: Uint8Array): DataRecord {
  return openRecord(physicalKey, bytes, (source) => {
    checkFormat(source);
    const revision = source.varint() as Revision;
    const deadline = source.varint();
    const expiresAtMs = deadline === 0 ? undefined : deadline - 1;
    return { revision, expiresAtMs, value: source.raw(source.left) };
  });
}

export function encodeRange(physicalKey: Uint8Array, range: KeyRange): Uint8Array {
  return sealRecord(physicalKey, new ByteWriter().u8(FORMAT).bytes(range.start).bytes(range.end));
}

export function decodeRange(physicalKey: Uint8Array, bytes: Uint8Array): KeyRange {
  return openRecord(physicalKey, bytes, (source) => {
    checkFormat(source);
    const range = decodeKeyRange(source);
    source.end();
    return range;
  });
}

export function encodeMeta(physicalKey: Uint8Array, meta: MetaRecord): Uint8Array {
  const out = new ByteWriter().u8(FORMAT).varint(meta.index).varint(meta.term);
  writeMembership(out, meta.membership);
  out.bytes(meta.digest).varint(meta.batch).varint(meta.records).varint(meta.changeFloor);
  return sealRecord(physicalKey, out);
}

export function decodeMeta(physicalKey: Uint8Array, bytes: Uint8Array): MetaRecord {
  return openRecord(physicalKey, bytes, (source) => {
    checkFormat(source);
    const meta = {
      index: source.varint(),
      term: source.varint(),
      membership: readMembership(source),
      digest: Uint8Array.from(source.bytes(32, 'digest')),
      batch: source.varint(),
      records: source.varint(),
      changeFloor: source.varint(),
    };
    source.end();
    return meta;
  });
}

export function writeMembership(out: ByteWriter, membership: Membership): void {
  for (const nodes of [membership.voters, membership.learners, membership.removed]) {
    out.varint(nodes.length);
    for (const node of nodes) out.varint(node);
  }
}

export function readMembership(source: ByteReader): Membership {
  const nodes = (): NodeId[] => {
    const ids: NodeId[] = [];
    for (let left = source.count(MEMBERS_MAX, 'members'); left > 0; left--) {
      ids.push(source.varint() as NodeId);
    }
    return ids;
  };
  return { voters: nodes(), learners: nodes(), removed: nodes() };
}

/** `store.corrupt`: the place is named by its kind and length only, since keys may tell something. */
export function corrupt(
  physicalKey: Uint8Array,
  because: string,
  cause?: unknown,
): StrongroomError {
  return new StrongroomError(
    'store.corrupt',
    `Cannot read a record of kind ${physicalKey[0] ?? 0} (key of ${physicalKey.length} bytes) from the state: ${because}. Remove this node's state and let it be caught up by a snapshot`,
    cause === undefined ? {} : { cause },
  );
}

export function decodeKeyRange(source: ByteReader): KeyRange {
  return {
    start: source.bytes(transactionLimits.keyBytesMax, 'range start'),
    end: source.bytes(transactionLimits.keyBytesMax, 'range end'),
  };
}

/** Reads which of the `known` formats a record has. @throws CodecError for another */
export function readFormat(source: ByteReader, known: readonly number[]): number {
  const format = source.u8();
  if (!known.includes(format)) throw new CodecError(`Its format ${format} is not known here`);
  return format;
}

function checkFormat(source: ByteReader): void {
  readFormat(source, FORMATS);
}
