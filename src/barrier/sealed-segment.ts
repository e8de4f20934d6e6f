import { equalBytes, lengthPrefixed, utf8Bytes } from '../lib/index.ts';
import { KEY_BYTES, keyedHash, NONCE_BYTES, streamXor } from './sodium.ts';

/** Longest name, in bytes of UTF-8. */
export const SEGMENT_BYTES_MAX = 512;
/** Names are padded to a multiple of this, so that only a class of lengths shows. */
const PAD_BYTES = 16;
const LENGTH_BYTES = 2;
const PAD_MARK = 0x80;
/** The sealed forms have 40 to 552 bytes. */
const SEALED_BYTES_MAX = NONCE_BYTES + Math.ceil((SEGMENT_BYTES_MAX + 1) / PAD_BYTES) * PAD_BYTES;

const LABELS = {
  mac: utf8Bytes('strongroom/barrier/name-mac/v1'),
  stream: utf8Bytes('strongroom/barrier/name-stream/v1'),
  segment: utf8Bytes('strongroom/barrier/segment/v1'),
};

/** The two keys that names of one namespace are sealed with. */
export class NameKeys implements Disposable {
  readonly mac: Uint8Array;
  readonly stream: Uint8Array;

  constructor(namespaceKey: Uint8Array, namespace: Uint8Array) {
    this.mac = keyedHash(KEY_BYTES, namespaceKey, lengthPrefixed(LABELS.mac, namespace));
    this.stream = keyedHash(KEY_BYTES, namespaceKey, lengthPrefixed(LABELS.stream, namespace));
  }

  [Symbol.dispose](): void {
    this.mac.fill(0);
    this.stream.fill(0);
  }
}

/**
 * Seals one name deterministically: length (2) | synthetic nonce (24) | padded name under XChaCha20.
 *
 * SIV (RFC 5297, Rogaway and Shrimpton 2006) with keyed BLAKE2b as the PRF: the nonce is a MAC of
 * parent and name, so the same name in the same folder always seals to the same bytes and lookup
 * works on ciphertext, while in another folder, mount or namespace it looks unrelated. Opening
 * computes the MAC again, which authenticates and commits to the key. The length in front makes the
 * bytes self-delimiting; it is below 0x0300, so everything below a folder lies between `folder 00`
 * and `folder ff`.
 *
 * @param parent store key of the folder: binds namespace, mount, kind and all names above.
 */
export function sealSegment(keys: NameKeys, parent: Uint8Array, name: string): Uint8Array {
  const padded = pad(utf8Bytes(name));
  const nonce = synthesise(keys, parent, padded);
  const out = new Uint8Array(LENGTH_BYTES + NONCE_BYTES + padded.length);
  new DataView(out.buffer).setUint16(0, NONCE_BYTES + padded.length);
  out.set(nonce, LENGTH_BYTES);
  out.set(streamXor(keys.stream, nonce, padded), LENGTH_BYTES + NONCE_BYTES);
  padded.fill(0);
  return out;
}

/**
 * The bytes that the segment at `at` fills, its length field included; `undefined` when there is
 * none that could have been made here.
 */
export function segmentLengthAt(key: Uint8Array, at: number): number | undefined {
  const [high, low] = [key[at], key[at + 1]];
  if (high === undefined || low === undefined) return undefined;
  const length = (high << 8) | low;
  const padded = length - NONCE_BYTES;
  if (padded < PAD_BYTES || padded % PAD_BYTES !== 0 || length > SEALED_BYTES_MAX) return undefined;
  return at + LENGTH_BYTES + length <= key.length ? LENGTH_BYTES + length : undefined;
}

/** The name, or `undefined` when `sealed` was not made for this parent by these keys. */
export function openSegment(
  keys: NameKeys,
  parent: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const nonce = sealed.subarray(LENGTH_BYTES, LENGTH_BYTES + NONCE_BYTES);
  const padded = streamXor(keys.stream, nonce, sealed.subarray(LENGTH_BYTES + NONCE_BYTES));
  if (!equalBytes(nonce, synthesise(keys, parent, padded))) return undefined;
  return padded.subarray(0, padded.lastIndexOf(PAD_MARK));
}

function synthesise(keys: NameKeys, parent: Uint8Array, padded: Uint8Array): Uint8Array {
  const input = lengthPrefixed(LABELS.segment, parent, padded);
  const nonce = keyedHash(NONCE_BYTES, keys.mac, input);
  input.fill(0);
  return nonce;
}

/** ISO/IEC 7816-4: 0x80, then zeros. */
function pad(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((bytes.length + 1) / PAD_BYTES) * PAD_BYTES);
  padded.set(bytes);
  padded[bytes.length] = PAD_MARK;
  return padded;
}
