import { DIGEST_BYTES } from './digest.ts';

/** For comparison with nodes that are a little ahead or behind. */
const DIGESTS_KEPT = 16_384;

/** The digests at the last so many indexes. */
export class DigestRing {
  readonly #digests = Buffer.alloc(DIGESTS_KEPT * DIGEST_BYTES);
  /** Indexes `(first, last]` are held. */
  #first: number;
  #last: number;

  constructor(index: number, digest: Uint8Array) {
    this.#first = index - 1;
    this.#last = index;
    this.#digests.set(digest, this.#slot(index));
  }

  push(index: number, digest: Uint8Array): void {
    this.#digests.set(digest, this.#slot(index));
    this.#last = index;
    this.#first = Math.max(this.#first, index - DIGESTS_KEPT);
  }

  /** Undefined when too old, or not yet there. */
  at(index: number): Uint8Array | undefined {
    if (index <= this.#first || index > this.#last) return undefined;
    const slot = this.#slot(index);
    return Uint8Array.from(this.#digests.subarray(slot, slot + DIGEST_BYTES));
  }

  #slot(index: number): number {
    return (index % DIGESTS_KEPT) * DIGEST_BYTES;
  }
}
