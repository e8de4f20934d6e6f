const BITS_A_KEY = 10;
const PROBES = 6;
const BITS_MIN = 1024;

/**
 * A Bloom filter of keys: what it does not hold was never added; of others it errs in about one of
 * a hundred when it holds as many as it was made for.
 */
export class KeyFilter {
  readonly #words: Uint32Array;
  readonly #mask: number;
  /** Two hashes of one key: the probes are their sums (Kirsch and Mitzenmacher 2006). */
  #first = 0;
  #step = 0;

  constructor(keys: number, bytesMax: number) {
    let bits = BITS_MIN;
    while (bits < keys * BITS_A_KEY && bits * 2 <= bytesMax * 8) bits *= 2;
    this.#words = new Uint32Array(bits / 32);
    this.#mask = bits - 1;
  }

  /** Adds what follows the first `skip` bytes of `key`. */
  add(key: Uint8Array, skip = 0): void {
    this.#hash(key, skip);
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = (this.#first + Math.imul(probe, this.#step)) & this.#mask;
      this.#words[bit >>> 5] = (this.#words[bit >>> 5] ?? 0) | (1 << (bit & 31));
    }
  }

  mayHold(key: Uint8Array): boolean {
    this.#hash(key, 0);
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = (this.#first + Math.imul(probe, this.#step)) & this.#mask;
      if (((this.#words[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }

  /** Two lanes of multiply and xor, with MurmurHash3's finish. Only its speed is at stake. */
  #hash(key: Uint8Array, skip: number): void {
    let first = 0x811c9dc5;
    let second = 0x9747b28c;
    for (let at = skip; at < key.length; at++) {
      const byte = key[at] ?? 0;
      first = Math.imul(first ^ byte, 0x01000193);
      second = Math.imul(second ^ byte, 0x5bd1e995);
      second ^= second >>> 15;
    }
    this.#first = finish(first);
    this.#step = finish(second) | 1;
  }
}

function finish(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
