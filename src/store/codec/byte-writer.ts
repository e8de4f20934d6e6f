import { invariant } from '../../lib/index.ts';

const FIRST_BYTES = 256;

/** Appends numbers and byte strings to one growing buffer. The counterpart of `ByteReader`. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(expectedBytes = FIRST_BYTES) {
    this.#buffer = Buffer.allocUnsafe(Math.max(16, expectedBytes));
  }

  get capacity(): number {
    return this.#buffer.length;
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#buffer.writeUInt32BE(value, this.#length);
    this.#length += 4;
    return this;
  }

  /** Eight bytes, big-endian, so that byte order is number order. */
  u64(value: number): this {
    this.#reserve(8);
    writeU64(this.#buffer, value, this.#length);
    this.#length += 8;
    return this;
  }

  /** One to eight bytes, seven bits each, least significant first; always the shortest form. */
  varint(value: number): this {
    invariant(Number.isSafeInteger(value) && value >= 0, 'A varint must be a safe whole number', {
      value,
    });
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A length and then the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  /** Begins again in the same buffer, over what was written before. */
  rewind(): this {
    this.#length = 0;
    return this;
  }

  /** What was written, until the writer is used again. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + count));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/** Writes a safe whole number as eight bytes, big-endian. */
export function writeU64(target: Buffer, value: number, at: number): void {
  invariant(Number.isSafeInteger(value) && value >= 0, 'A u64 must be a safe whole number', {
    value,
  });
  target.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  target.writeUInt32BE(value % 2 ** 32, at + 4);
}
