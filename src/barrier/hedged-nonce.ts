import { lengthPrefixed, type Random } from '../lib/index.ts';
import { KEY_BYTES, keyedHash, NONCE_BYTES } from './sodium.ts';

/**
 * Nonces that survive a bad or repeated source of randomness.
 *
 * Each is BLAKE2b(process key, pooled random | counter | plaintext). The pool makes them cheap; but a
 * virtual machine that is cloned from memory takes pool, counter and process key with it, so those
 * alone would repeat in the clone. With the plaintext mixed in, two clones make the same nonce only
 * for the same bytes, which tells an observer that they were equal and nothing more. The counter
 * does the same for a source that is stuck.
 */
export class HedgedNonces implements Disposable {
  readonly #random: Random;
  readonly #key: Uint8Array;
  readonly #counter = new Uint8Array(8);
  readonly #counterView = new DataView(this.#counter.buffer);
  #count = 0n;

  constructor(random: Random) {
    this.#random = random;
    this.#key = random.bytes(KEY_BYTES);
  }

  next(plaintext: Uint8Array): Uint8Array {
    this.#counterView.setBigUint64(0, this.#count);
    this.#count += 1n;
    const input = lengthPrefixed(this.#random.bytes(NONCE_BYTES), this.#counter, plaintext);
    const nonce = keyedHash(NONCE_BYTES, this.#key, input);
    input.fill(0);
    return nonce;
  }

  [Symbol.dispose](): void {
    this.#key.fill(0);
  }
}
