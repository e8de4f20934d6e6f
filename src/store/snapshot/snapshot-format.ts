import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { StrongroomError } from '../../lib/index.ts';
import { CodecError } from '../codec/byte-reader.ts';

/**
 * A snapshot is a row of chunks: a header, the records as one stream of bytes cut anywhere, and a
 * trailer with the number of records and a hash over all that came before. Each chunk has a kind,
 * its number, and a checksum over kind, number and payload, in front.
 */
export const chunkKinds = { header: 1, records: 2, trailer: 3 } as const;
export type ChunkKind = (typeof chunkKinds)[keyof typeof chunkKinds];

export const SNAPSHOT_FORMAT = 2;
/** It had a record of its own for each transaction. Read still: a block can hold one alone. */
export const FORMER_SNAPSHOT_FORMAT = 1;
export const CHUNK_BYTES_MAX = 256 * 1024;
const PREFIX_BYTES = 9;
export const PAYLOAD_BYTES_MAX = CHUNK_BYTES_MAX - PREFIX_BYTES;

/** Packs payloads in order, and hashes them all. */
export class ChunkPacker {
  readonly #hash: Hash = createHash('sha256');
  #number = 0;

  pack(kind: ChunkKind, payload: Uint8Array): Uint8Array {
    const chunk = Buffer.allocUnsafe(PREFIX_BYTES + payload.length);
    chunk[0] = kind;
    chunk.writeUInt32BE(this.#number++, 1);
    chunk.writeUInt32BE(crc32(payload, crc32(chunk.subarray(0, 5))), 5);
    chunk.set(payload, PREFIX_BYTES);
    this.#hash.update(chunk);
    return chunk;
  }

  /** Over all chunks so far. */
  digest(): Uint8Array {
    return this.#hash.copy().digest();
  }
}

/** Checks chunks one after the other. */
export class ChunkOpener {
  readonly #hash: Hash = createHash('sha256');
  #number = 0;

  /** `digestBefore` is over all chunks before this one. @throws CodecError */
  open(bytes: Uint8Array): { kind: number; payload: Uint8Array; digestBefore: () => Uint8Array } {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (chunk.length < PREFIX_BYTES || chunk.length > CHUNK_BYTES_MAX) {
      throw new CodecError(`chunk ${this.#number} has ${chunk.length} bytes`);
    }
    const payload = chunk.subarray(PREFIX_BYTES);
    if (chunk.readUInt32BE(5) !== crc32(payload, crc32(chunk.subarray(0, 5)))) {
      throw new CodecError(`the checksum of chunk ${this.#number} does not fit`);
    }
    if (chunk.readUInt32BE(1) !== this.#number) {
      throw new CodecError(`chunk ${chunk.readUInt32BE(1)} came where ${this.#number} belongs`);
    }
    this.#number++;
    const before = this.#hash.copy();
    this.#hash.update(chunk);
    return { kind: chunk.readUInt8(0), payload, digestBefore: () => before.digest() };
  }
}

export function snapshotInvalid(because: string, cause?: unknown): StrongroomError {
  return new StrongroomError(
    'store.snapshot-invalid',
    `Cannot install a snapshot: ${because}. Ask for it again, or from another node`,
    cause === undefined ? {} : { cause },
  );
}
