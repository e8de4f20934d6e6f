/** The bytes are not what a `ByteWriter` wrote. Whoever knows what they were wraps it. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

/** Reads what `ByteWriter` wrote; strict, so that one value has one encoding. */
export class ByteReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#buffer.length - this.#at;
  }

  u8(): number {
    this.#need(1);
    return this.#buffer.readUInt8(this.#at++);
  }

  u32(): number {
    this.#need(4);
    const value = this.#buffer.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  u64(): number {
    this.#need(8);
    const value = readU64(this.#buffer, this.#at);
    this.#at += 8;
    return value;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && count > 0) throw new CodecError('A number has more bytes than it needs');
        if (!Number.isSafeInteger(value)) throw new CodecError('A number is too large');
        return value;
      }
      scale *= 0x80;
    }
    throw new CodecError('A number has no end');
  }

  /** A number that counts something of which at most `max` are allowed. */
  count(max: number, what: string): number {
    const value = this.varint();
    if (value > max) throw new CodecError(`${value} ${what}, at most ${max} are allowed`);
    return value;
  }

  /** A view into the bytes that were given: copy it to keep it. */
  raw(length: number): Uint8Array {
    this.#need(length);
    // Not a `Buffer`: its `slice` would not copy.
    const { buffer, byteOffset } = this.#buffer;
    const part = new Uint8Array(buffer, byteOffset + this.#at, length);
    this.#at += length;
    return part;
  }

  bytes(max: number, what: string): Uint8Array {
    return this.raw(this.count(max, `bytes of ${what}`));
  }

  /** @throws CodecError when something is left. */
  end(): void {
    if (this.left !== 0) throw new CodecError(`${this.left} bytes too many`);
  }

  #need(count: number): void {
    if (this.left < count) throw new CodecError(`Cut short: ${count - this.left} bytes missing`);
  }
}

/** Reads eight bytes, big-endian. @throws CodecError over 2^53. */
export function readU64(source: Buffer, at: number): number {
  const value = source.readUInt32BE(at) * 2 ** 32 + source.readUInt32BE(at + 4);
  if (!Number.isSafeInteger(value)) throw new CodecError('A number is too large');
  return value;
}
