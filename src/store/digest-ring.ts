import { hash } from 'node:crypto';
import type { Entry } from '../raft/index.ts';
import type { Applied } from './apply-transaction.ts';
import { ByteWriter } from './codec/byte-writer.ts';
import { DIGEST_BYTES, writeDigestInput } from './digest.ts';

/** For comparison with nodes that are a little ahead or behind. */
const DIGESTS_KEPT = 16_384;
/** Room for a usual entry; used again for each. */
const INPUT_BYTES = 8 * 1024;

/** The running digest (SHA-256), and what it was at the last so many indexes. */
export class DigestRing {
  readonly #digests = Buffer.alloc(DIGESTS_KEPT * DIGEST_BYTES);
  /** Indexes `(first, last]` are held. */
  #first: number;
  #last: number;
  #input = new ByteWriter(INPUT_BYTES);

  constructor(index: number, digest: Uint8Array) {
    this.#first = index - 1;
    this.#last = index;
    this.#digests.set(digest, this.#slot(index));
  }

  /** Goes on to the next entry. */
  add(entry: Entry, applied: Applied | undefined): void {
    writeDigestInput(this.#input.rewind(), this.#view(this.#last), entry, applied);
    // As text of one character a byte: a buffer of its own would be allocated outside the heap.
    const digest = hash('sha256', this.#input.finish(), 'binary');
    this.#digests.write(digest, this.#slot(entry.index), 'latin1');
    this.#last = entry.index;
    this.#first = Math.max(this.#first, entry.index - DIGESTS_KEPT);
    // A rare large entry's buffer is not kept.
    if (this.#input.capacity > 8 * INPUT_BYTES) this.#input = new ByteWriter(INPUT_BYTES);
  }

  latest(): Uint8Array {
    return Uint8Array.from(this.#view(this.#last));
  }

  /** Undefined when too old, or not yet there. */
  at(index: number): Uint8Array | undefined {
    if (index <= this.#first || index > this.#last) return undefined;
    return Uint8Array.from(this.#view(index));
  }

  #view(index: number): Buffer {
    const slot = this.#slot(index);
    return this.#digests.subarray(slot, slot + DIGEST_BYTES);
  }

  #slot(index: number): number {
    return (index % DIGESTS_KEPT) * DIGEST_BYTES;
  }
}
