import { invariant } from '../../lib/index.ts';
import { readU64 } from '../codec/byte-reader.ts';
import { writeU64 } from '../codec/byte-writer.ts';

/** The first byte of a physical key says what stands under it. */
export const places = {
  meta: 0x01,
  data: 0x02,
  expiry: 0x03,
  history: 0x04,
  tombstone: 0x05,
  journal: 0x06,
} as const;

export type Place = (typeof places)[keyof typeof places];

export const metaKey = Buffer.from([places.meta]);

export function dataKey(key: Uint8Array): Buffer {
  return prefixed(places.data, key);
}

/** The key that the caller knows, as a copy. */
export function userKey(physicalKey: Uint8Array): Uint8Array {
  return new Uint8Array(physicalKey.subarray(1));
}

export function expiryKey(deadlineMs: number, key: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(9 + key.length);
  out[0] = places.expiry;
  writeU64(out, deadlineMs, 1);
  out.set(key, 9);
  return out;
}

export function splitExpiryKey(physicalKey: Uint8Array): { deadlineMs: number; key: Uint8Array } {
  return { deadlineMs: numberIn(physicalKey), key: new Uint8Array(physicalKey.subarray(9)) };
}

export function historyKey(revision: number): Buffer {
  return numbered(places.history, revision);
}

/** One delete-range of the transaction at `revision`; `ordinal` tells several apart. */
export function tombstoneKey(revision: number, ordinal: number): Buffer {
  const out = Buffer.allocUnsafe(13);
  out[0] = places.tombstone;
  writeU64(out, revision, 1);
  out.writeUInt32BE(ordinal, 9);
  return out;
}

export function journalKey(slot: number): Buffer {
  return numbered(places.journal, slot);
}

/** The number after the first byte. */
export function numberIn(physicalKey: Uint8Array): number {
  invariant(physicalKey.length >= 9, 'The key holds no number', { length: physicalKey.length });
  return readU64(
    Buffer.from(physicalKey.buffer, physicalKey.byteOffset, physicalKey.byteLength),
    1,
  );
}

/** All keys of one place: from the first to before the next place. */
export function wholePlace(place: Place): { start: Buffer; end: Buffer } {
  return { start: Buffer.from([place]), end: Buffer.from([place + 1]) };
}

function prefixed(place: Place, key: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(1 + key.length);
  out[0] = place;
  out.set(key, 1);
  return out;
}

function numbered(place: Place, value: number): Buffer {
  const out = Buffer.allocUnsafe(9);
  out[0] = place;
  writeU64(out, value, 1);
  return out;
}
