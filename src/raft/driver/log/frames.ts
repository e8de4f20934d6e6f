import { crc32 } from 'node:zlib';
import { type LogRecord, recordBytes, writeRecord } from './records.ts';

/*
 * A frame is what one write put into a segment. Its header says where it belongs, so that a block
 * that landed elsewhere, or a leftover of an older file, is not taken for a part of the log:
 *
 *   magic, segment, offset, bodyBytes, chainBefore, chain, reserved, headerChecksum   (4 bytes each)
 *
 * `chain` is the checksum of the body continued from `chainBefore`, which is that of the frame
 * before: a frame that was lost, doubled or swapped breaks the chain (CRC-32, zlib's).
 */
export const FRAME_HEADER_BYTES = 32;
const MAGIC = 0x53524c31;
const CHECKED_BYTES = FRAME_HEADER_BYTES - 4;
/** What a disk writes or loses at once; what it lost of a file that had grown reads as zeros. */
const SECTOR_BYTES = 512;

export interface FramePlace {
  readonly segment: number;
  readonly offset: number;
}

export interface ScannedFrame extends FramePlace {
  readonly bytes: number;
  readonly body: Buffer;
}

/**
 * How a segment's scan ended. `torn`: the write that was under way at a crash, never acknowledged,
 * since the write after it was never begun. `damaged`: something that had been synced is gone.
 */
export type ScanEnd =
  | { readonly kind: 'clean' }
  | { readonly kind: 'torn'; readonly offset: number }
  | { readonly kind: 'damaged'; readonly offset: number; readonly reason: string };

/** Joins `records` to one frame. @returns the frame and the chain after it */
export function encodeFrame(
  records: readonly LogRecord[],
  place: FramePlace,
  chainBefore: number,
): { readonly frame: Buffer; readonly chain: number } {
  let bodyBytes = 0;
  for (const record of records) bodyBytes += recordBytes(record);
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + bodyBytes);
  let at = FRAME_HEADER_BYTES;
  for (const record of records) at = writeRecord(record, frame, at);
  const chain = crc32(frame.subarray(FRAME_HEADER_BYTES), chainBefore);
  frame.writeUInt32BE(MAGIC, 0);
  frame.writeUInt32BE(place.segment, 4);
  frame.writeUInt32BE(place.offset, 8);
  frame.writeUInt32BE(bodyBytes, 12);
  frame.writeUInt32BE(chainBefore, 16);
  frame.writeUInt32BE(chain, 20);
  frame.writeUInt32BE(0, 24);
  frame.writeUInt32BE(crc32(frame.subarray(0, CHECKED_BYTES)), CHECKED_BYTES);
  return { frame, chain };
}

/**
 * Reads a segment's frames in order and calls `onFrame` for each whose checks hold.
 *
 * @param chain of the segment before; `undefined` when that one was removed.
 * @returns the chain at the end, and how it ended
 */
export function scanSegment(
  bytes: Buffer,
  segment: number,
  chain: number | undefined,
  onFrame: (frame: ScannedFrame) => void,
): { readonly chain: number | undefined; readonly end: ScanEnd } {
  let offset = 0;
  let before = chain;
  while (offset < bytes.length) {
    const header = readHeader(bytes, { segment, offset });
    if (header === undefined) {
      return { chain: before, end: judgeBadHeader(bytes, segment, offset) };
    }
    const bytesAll = FRAME_HEADER_BYTES + header.bodyBytes;
    if (before !== undefined && header.chainBefore !== before) {
      return { chain: before, end: damaged(offset, 'it does not follow the frame before it') };
    }
    const body = bytes.subarray(offset + FRAME_HEADER_BYTES, offset + bytesAll);
    if (body.length < header.bodyBytes) {
      return { chain: before, end: { kind: 'torn', offset } };
    }
    if (crc32(body, header.chainBefore) !== header.chain) {
      return { chain: before, end: judgeBadBody(bytes, offset, offset + bytesAll) };
    }
    onFrame({ segment, offset, bytes: bytesAll, body });
    before = header.chain;
    offset += bytesAll;
  }
  return { chain: before, end: { kind: 'clean' } };
}

/** Reads one frame that is known to be there. @returns `undefined` when its checks do not hold */
export function readFrame(bytes: Buffer, place: FramePlace): Buffer | undefined {
  const header = readHeader(bytes, place, 0);
  if (header === undefined) return undefined;
  const body = bytes.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + header.bodyBytes);
  if (body.length < header.bodyBytes) return undefined;
  return crc32(body, header.chainBefore) === header.chain ? body : undefined;
}

function readHeader(
  bytes: Buffer,
  place: FramePlace,
  at = place.offset,
):
  | { readonly bodyBytes: number; readonly chainBefore: number; readonly chain: number }
  | undefined {
  if (at + FRAME_HEADER_BYTES > bytes.length) return undefined;
  if (bytes.readUInt32BE(at) !== MAGIC) return undefined;
  const checksum = crc32(bytes.subarray(at, at + CHECKED_BYTES));
  if (bytes.readUInt32BE(at + CHECKED_BYTES) !== checksum) return undefined;
  if (bytes.readUInt32BE(at + 4) !== place.segment) return undefined;
  if (bytes.readUInt32BE(at + 8) !== place.offset) return undefined;
  return {
    bodyBytes: bytes.readUInt32BE(at + 12),
    chainBefore: bytes.readUInt32BE(at + 16),
    chain: bytes.readUInt32BE(at + 20),
  };
}

/**
 * A write is begun only when the one before it was synced. So whatever is followed by the header of
 * a later write had been synced, and is damage.
 */
function judgeBadHeader(bytes: Buffer, segment: number, offset: number): ScanEnd {
  for (let at = offset + 1; at + FRAME_HEADER_BYTES <= bytes.length; at++) {
    if (bytes[at] !== MAGIC >>> 24) continue;
    if (readHeader(bytes, { segment, offset: at }) !== undefined) {
      return damaged(offset, 'a later write follows it');
    }
  }
  const end = Math.min(offset + FRAME_HEADER_BYTES, bytes.length);
  const cut = end - offset < FRAME_HEADER_BYTES;
  if (cut || hasLostSector(bytes, offset, end)) return { kind: 'torn', offset };
  return damaged(offset, 'its header was altered');
}

function judgeBadBody(bytes: Buffer, offset: number, end: number): ScanEnd {
  if (end < bytes.length) return damaged(offset, 'a later write follows it');
  if (hasLostSector(bytes, offset, end)) return { kind: 'torn', offset };
  return damaged(offset, 'its content was altered');
}

/** Whether a whole sector's share of `[from, end)` reads as zeros, as a lost one does. */
function hasLostSector(bytes: Buffer, from: number, end: number): boolean {
  let at = from;
  while (at < end) {
    const sectorEnd = Math.min((Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES, bytes.length);
    if (bytes.subarray(at, sectorEnd).every((byte) => byte === 0)) return true;
    at = sectorEnd;
  }
  return false;
}

function damaged(offset: number, reason: string): ScanEnd {
  return { kind: 'damaged', offset, reason };
}
