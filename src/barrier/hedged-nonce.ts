import type { Random } from '../lib/index.ts';
import { openDraft } from './draft.ts';
import { KEY_BYTES, NONCE_BYTES } from './sodium.ts';

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
    const random = this.#random.bytes(NONCE_BYTES);
    const draft = openDraft();
    try {
      const keyAt = draft.bytes(this.#key);
      const out = { at: draft.reserve(NONCE_BYTES), length: NONCE_BYTES };
      const inputAt = draft.length;
      draft.part(random);
      draft.part(this.#counter);
      draft.part(plaintext);
      draft.hash(out, draft.since(inputAt), keyAt);
      return draft.copy(out.at, NONCE_BYTES);
    } finally {
      draft.wipe();
    }
  }

  [Symbol.dispose](): void {
    this.#key.fill(0);
  }
}
