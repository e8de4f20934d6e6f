import { equalBytes, lengthPrefixed, utf8Bytes } from '../lib/index.ts';
import type { ByteSlab } from './byte-slab.ts';
import { type Draft, keyedHash, openDraft, type Stretch } from './draft.ts';
import { KEY_BYTES, NONCE_BYTES, TAG_BYTES } from './sodium.ts';

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
 * @returns the store key of the name: `parent` and the sealed name.
 */
export function sealSegment(
  keys: NameKeys,
  parent: Uint8Array,
  name: string,
  slab: ByteSlab,
): Uint8Array {
  const draft = openDraft();
  try {
    const [macAt, streamAt] = [draft.bytes(keys.mac), draft.bytes(keys.stream)];
    const nonce = { at: draft.reserve(NONCE_BYTES), length: NONCE_BYTES };
    const inputAt = draft.length;
    const part = beginInput(draft, parent);
    draft.text(name);
    pad(draft, part);
    const padded = draft.closePart(part);
    draft.hash(nonce, draft.since(inputAt), macAt);
    applyStream(draft, padded, nonce.at, streamAt);
    const key = slab.take(parent.length + LENGTH_BYTES + NONCE_BYTES + padded.length);
    const lengthAt = parent.length;
    key.set(parent);
    key[lengthAt] = (NONCE_BYTES + padded.length) >> 8;
    key[lengthAt + 1] = NONCE_BYTES + padded.length;
    key.set(draft.look(nonce.at, NONCE_BYTES), lengthAt + LENGTH_BYTES);
    key.set(draft.look(padded.at, padded.length), lengthAt + LENGTH_BYTES + NONCE_BYTES);
    return key;
  } finally {
    draft.wipe();
  }
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
  const draft = openDraft();
  try {
    const [macAt, streamAt] = [draft.bytes(keys.mac), draft.bytes(keys.stream)];
    const nonceAt = draft.bytes(nonce);
    const expected = { at: draft.reserve(NONCE_BYTES), length: NONCE_BYTES };
    const inputAt = draft.length;
    const part = beginInput(draft, parent);
    draft.bytes(sealed.subarray(LENGTH_BYTES + NONCE_BYTES));
    const padded = draft.closePart(part);
    const input = draft.since(inputAt);
    applyStream(draft, padded, nonceAt, streamAt);
    draft.hash(expected, input, macAt);
    if (!equalBytes(nonce, draft.look(expected.at, NONCE_BYTES))) return undefined;
    return draft.copy(padded.at, draft.look(padded.at, padded.length).lastIndexOf(PAD_MARK));
  } finally {
    draft.wipe();
  }
}

/** What the synthetic nonce is a MAC of: label, parent, and the part that is now open. */
function beginInput(draft: Draft, parent: Uint8Array): number {
  draft.part(LABELS.segment);
  draft.part(parent);
  return draft.openPart();
}

/** ISO/IEC 7816-4: 0x80, then zeros. */
function pad(draft: Draft, part: number): void {
  draft.byte(draft.reserve(1), PAD_MARK);
  const { length } = draft.closePart(part);
  draft.reserve((PAD_BYTES - (length % PAD_BYTES)) % PAD_BYTES);
}

/**
 * The XChaCha20 stream over `bytes`, in place; applied twice it gives them back. This build of the
 * library has no bare stream, so the AEAD's is used and its tag left behind: the synthetic nonce
 * authenticates.
 */
function applyStream(draft: Draft, bytes: Stretch, nonceAt: number, keyAt: number): void {
  draft.reserve(TAG_BYTES);
  draft.encrypt(bytes, { at: 0, length: 0 }, nonceAt, keyAt);
}
