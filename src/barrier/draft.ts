import { invariant } from '../lib/index.ts';
import { KEY_BYTES, type RawSodium, rawSodium, TAG_BYTES } from './sodium.ts';

/** Bytes of the library's memory that are kept from one message to the next. */
const KEPT_BYTES = 64 * 1024;
const LENGTH_BYTES = 4;
/** Most bytes of UTF-8 that one UTF-16 unit becomes. */
const UTF8_BYTES_MAX = 3;

/** A stretch of a draft: its first byte, and how many. */
export interface Stretch {
  readonly at: number;
  readonly length: number;
}

/**
 * One message being put together in the cipher library's own memory, where it is hashed, enciphered
 * and opened in place. Places in it are counted from its start. What is written can never be read
 * after `wipe`: keys and plaintext are overwritten, not only given back.
 *
 *     const draft = openDraft();
 *     try { ... } finally { draft.wipe(); }
 */
export class Draft {
  readonly #raw: RawSodium;
  /** The library's whole memory, and the same as a `Buffer`, which writes text. */
  #heap: Uint8Array<ArrayBuffer>;
  #buffer: Buffer;
  #start = 0;
  #room = 0;
  #length = 0;
  #isOpen = false;

  constructor(raw: RawSodium) {
    this.#raw = raw;
    this.#heap = raw.HEAPU8;
    this.#buffer = Buffer.from(this.#heap.buffer);
  }

  /** Bytes so far: where the next will be written. */
  get length(): number {
    return this.#length;
  }

  /** All bytes from `at` on. */
  since(at: number): Stretch {
    return { at, length: this.#length - at };
  }

  /** For `openDraft`. */
  begin(): this {
    invariant(!this.#isOpen, 'One message is drafted at a time', {});
    this.#isOpen = true;
    this.#lookAgain();
    return this;
  }

  /** @returns where they begin, as all that write do. */
  bytes(bytes: Uint8Array): number {
    const at = this.reserve(bytes.length);
    this.#heap.set(bytes, this.#start + at);
    return at;
  }

  /** Zeros, to be filled in place. */
  reserve(count: number): number {
    const at = this.#length;
    if (at + count > this.#room) this.#grow(at + count);
    this.#length = at + count;
    return at;
  }

  /** One part of what `lengthPrefixed` of `lib/` makes. @returns where its bytes begin. */
  part(bytes: Uint8Array): number {
    const part = this.openPart();
    const at = this.bytes(bytes);
    this.closePart(part);
    return at;
  }

  /** The same of a text's UTF-8. */
  textPart(text: string): void {
    const part = this.openPart();
    this.text(text);
    this.closePart(part);
  }

  /** Begins a part whose length is not known yet. @returns what `closePart` takes. */
  openPart(): number {
    return this.reserve(LENGTH_BYTES);
  }

  /** Ends the part with all that was written since. @returns its bytes. */
  closePart(lengthAt: number): Stretch {
    const at = lengthAt + LENGTH_BYTES;
    const length = this.#length - at;
    this.#writeLength(lengthAt, length);
    return { at, length };
  }

  /** Well-formed text as UTF-8. */
  text(text: string): void {
    const at = this.reserve(text.length * UTF8_BYTES_MAX);
    this.#length = at + this.#buffer.write(text, this.#start + at, 'utf8');
  }

  /** One byte of what was reserved. */
  byte(at: number, value: number): void {
    this.#heap[this.#start + at] = value;
  }

  /** Keyed BLAKE2b (RFC 7693): a PRF, a MAC and a KDF. `out` is not in `input`. */
  hash(out: Stretch, input: Stretch, keyAt: number, keyBytes = KEY_BYTES): void {
    const start = this.#start;
    const failed = this.#raw._crypto_generichash(
      start + out.at,
      out.length,
      start + input.at,
      input.length,
      0,
      start + keyAt,
      keyBytes,
    );
    invariant(failed === 0, 'BLAKE2b takes these lengths', { outputBytes: out.length });
  }

  /** XChaCha20-Poly1305-IETF in place; the tag goes into the 16 bytes after the plaintext. */
  encrypt(plaintext: Stretch, aad: Stretch, nonceAt: number, keyAt: number): void {
    const start = this.#start;
    this.#raw._crypto_aead_xchacha20poly1305_ietf_encrypt(
      start + plaintext.at,
      0,
      start + plaintext.at,
      plaintext.length,
      0,
      start + aad.at,
      aad.length,
      0,
      0,
      start + nonceAt,
      start + keyAt,
    );
  }

  /** The way back, in place. @returns whether the tag fits; if not, no plaintext is there. */
  decrypt(ciphertext: Stretch, aad: Stretch, nonceAt: number, keyAt: number): boolean {
    if (ciphertext.length < TAG_BYTES) return false;
    const start = this.#start;
    const failed = this.#raw._crypto_aead_xchacha20poly1305_ietf_decrypt(
      start + ciphertext.at,
      0,
      0,
      start + ciphertext.at,
      ciphertext.length,
      0,
      start + aad.at,
      aad.length,
      0,
      start + nonceAt,
      start + keyAt,
    );
    return failed === 0;
  }

  /** A look at the bytes, valid until the next call on this draft. */
  look(at: number, length: number): Uint8Array {
    return this.#heap.subarray(this.#start + at, this.#start + at + length);
  }

  /** A copy in memory of its own. */
  copy(at: number, length: number): Uint8Array {
    return this.#heap.slice(this.#start + at, this.#start + at + length);
  }

  wipe(): void {
    // Whatever made the memory grow meanwhile, also in vain: the bytes are in the new array too.
    this.#lookAgain();
    this.#heap.fill(0, this.#start, this.#start + this.#length);
    this.#length = 0;
    this.#isOpen = false;
    if (this.#room <= KEPT_BYTES) return;
    this.#raw._free(this.#start);
    this.#room = 0;
  }

  #writeLength(at: number, length: number): void {
    const heap = this.#heap;
    const to = this.#start + at;
    heap[to] = length >>> 24;
    heap[to + 1] = length >>> 16;
    heap[to + 2] = length >>> 8;
    heap[to + 3] = length;
  }

  #grow(needed: number): void {
    const room = Math.max(KEPT_BYTES, this.#room * 2, needed);
    const start = this.#raw._malloc(room);
    invariant(start !== 0, 'The cipher library has memory for the message', { bytes: room });
    this.#lookAgain();
    if (this.#room > 0) {
      this.#heap.copyWithin(start, this.#start, this.#start + this.#length);
      this.#heap.fill(0, this.#start, this.#start + this.#length);
      this.#raw._free(this.#start);
    }
    this.#heap.fill(0, start + this.#length, start + room);
    this.#start = start;
    this.#room = room;
  }

  /** The library's memory is another array when it has grown. */
  #lookAgain(): void {
    if (this.#raw.HEAPU8 === this.#heap) return;
    this.#heap = this.#raw.HEAPU8;
    this.#buffer = Buffer.from(this.#heap.buffer);
  }
}

let draft: Draft | undefined;

/** The one draft, empty. It lies in the library's memory, of which a process has one. */
export function openDraft(): Draft {
  draft ??= new Draft(rawSodium());
  return draft.begin();
}

/** BLAKE2b keyed with 32 bytes: 16 to 64 bytes of output, in memory of their own. */
export function keyedHash(outputBytes: number, key: Uint8Array, message: Uint8Array): Uint8Array {
  const draft = openDraft();
  try {
    const keyAt = draft.bytes(key);
    const out = { at: draft.reserve(outputBytes), length: outputBytes };
    draft.hash(out, { at: draft.bytes(message), length: message.length }, keyAt, key.length);
    return draft.copy(out.at, outputBytes);
  } finally {
    draft.wipe();
  }
}
