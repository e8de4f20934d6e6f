/** A block of memory that many small arrays share. */
const SLAB_BYTES = 16 * 1024;
/** What is longer has a block of its own, so that little is lost at a block's end. */
const SHARED_BYTES_MAX = SLAB_BYTES / 8;

/**
 * Zeroed arrays for what is not secret (store keys, ciphertext), cut from shared blocks: allocating a
 * typed array over 64 bytes by itself costs more than sealing what goes into it. A block lives as
 * long as one of its arrays, so what is kept long and what soon goes want slabs of their own.
 */
export class ByteSlab {
  #block = new ArrayBuffer(0);
  #used = 0;

  take(count: number): Uint8Array<ArrayBuffer> {
    if (count > SHARED_BYTES_MAX) return new Uint8Array(count);
    if (this.#used + count > this.#block.byteLength) {
      this.#block = new ArrayBuffer(SLAB_BYTES);
      this.#used = 0;
    }
    const taken = new Uint8Array(this.#block, this.#used, count);
    this.#used += count;
    return taken;
  }
}
