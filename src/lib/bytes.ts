import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder('utf-8', { fatal: true }) };

export function utf8Bytes(text: string): Uint8Array {
  return utf8.encoder.encode(text);
}

/** @throws TypeError when `bytes` is not valid UTF-8. */
export function utf8Text(bytes: Uint8Array): string {
  return utf8.decoder.decode(bytes);
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Lexicographic, unsigned: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** In time that does not depend on the content; lengths are not secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** One character a byte, for maps by bytes: cheaper than hex, and equal exactly when the bytes are. */
export function latin1Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** @throws RangeError when `text` is not an even number of hex digits. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) throw new RangeError('Not a hex string');
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/**
 * Joins parts so that no two lists of parts give the same bytes: each is preceded by its length
 * (4 bytes, big-endian). For everything that is hashed or authenticated.
 */
export function lengthPrefixed(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += 4 + part.length;
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    out.set(part, at + 4);
    at += 4 + part.length;
  }
  return out;
}

/**
 * Secret bytes that print as `[secret]` and are overwritten when their scope ends:
 * `using key = SecretBytes.take(bytes)`.
 */
export class SecretBytes implements Disposable {
  #bytes: Uint8Array | undefined;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Takes ownership: the caller must not keep or reuse `bytes`. */
  static take(bytes: Uint8Array): SecretBytes {
    return new SecretBytes(bytes);
  }

  /** Copies, so that the caller may overwrite its own. */
  static copy(bytes: Uint8Array): SecretBytes {
    return new SecretBytes(Uint8Array.from(bytes));
  }

  /** The bytes themselves, valid until disposal. @throws Error after it. */
  reveal(): Uint8Array {
    if (this.#bytes === undefined) throw new Error('Secret bytes were already overwritten');
    return this.#bytes;
  }

  equals(other: SecretBytes): boolean {
    return equalBytes(this.reveal(), other.reveal());
  }

  [Symbol.dispose](): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}
