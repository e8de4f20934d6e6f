import { randomFillSync } from 'node:crypto';

/** All chance comes through this port, so that a seed replays a run. */
export interface Random {
  /** `count` fresh bytes; the caller owns them. */
  bytes(count: number): Uint8Array;
  /** A uniform integer in `[0, bound)`, `bound` at most 2^32. */
  below(bound: number): number;
}

const POOL_BYTES = 8192;

/**
 * The operating system's randomness, drawn in pools: one call into the kernel serves hundreds of
 * nonces (a call for each costs 60 to 90 microseconds, from the pool 0.1).
 */
export class SystemRandom implements Random {
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #used = POOL_BYTES;

  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count);
    if (count > POOL_BYTES) {
      randomFillSync(out);
      return out;
    }
    if (this.#used + count > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    out.set(this.#pool.subarray(this.#used, this.#used + count));
    // What was handed out must not be found in memory later.
    this.#pool.fill(0, this.#used, this.#used + count);
    this.#used += count;
    return out;
  }

  below(bound: number): number {
    // Rejection, because a plain remainder would favour small numbers.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const [a = 0, b = 0, c = 0, d = 0] = this.bytes(4);
      const value = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
      if (value < limit) return value % bound;
    }
  }
}

/**
 * A seeded generator (xoshiro128**, Blackman and Vigna 2018) for simulations and tests: never for
 * keys or nonces.
 */
export class SeededRandom implements Random {
  readonly #state: [number, number, number, number];

  constructor(seed: number) {
    // splitmix32 spreads a small seed over the whole state.
    let x = seed >>> 0;
    const next = () => {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return (z ^ (z >>> 16)) >>> 0;
    };
    this.#state = [next(), next(), next(), next()];
  }

  uint32(): number {
    const s = this.#state;
    const scrambled = Math.imul(s[1], 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** A float in `[0, 1)`. */
  float(): number {
    return this.uint32() / 2 ** 32;
  }

  below(bound: number): number {
    return Math.floor(this.float() * bound);
  }

  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) out[i] = this.uint32() & 0xff;
    return out;
  }
}
