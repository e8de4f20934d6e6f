import type { Clock, SecretBytes, Timer } from '../lib/index.ts';
import { checkShare, combineShares, decodeShare, type Share, type ShareSet } from './shares.ts';

/** Shares that nobody completes are forgotten after this long. */
const FORGET_AFTER_MS = 15 * 60_000;

/** Shares given so far, in memory only, each checked when it is given. */
export class ShareCollector implements Disposable {
  readonly #clock: Clock;
  readonly #shares = new Map<number, Share>();
  #set = '';
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get given(): number {
    return this.#shares.size;
  }

  /**
   * The secret, once enough shares are there; then they are forgotten.
   * @throws StrongroomError `seal.share-invalid`, `seal.share-foreign`, `seal.share-wrong`; what was
   *   given before stays.
   */
  async give(text: string, sets: readonly ShareSet[]): Promise<SecretBytes | undefined> {
    const share = decodeShare(text);
    const set = sets.find((candidate) => candidate.id === share.setId) ?? sets[0];
    try {
      if (set !== undefined) checkShare(share, set);
    } catch (error) {
      share.value[Symbol.dispose]();
      throw error;
    }
    if (set === undefined) return undefined;
    if (this.#set !== set.id) this.reset();
    this.#set = set.id;
    // The same share twice counts once.
    this.#shares.get(share.index)?.value[Symbol.dispose]();
    this.#shares.set(share.index, share);
    this.#timer?.cancel();
    this.#timer = this.#clock.after(FORGET_AFTER_MS, () => this.reset());
    if (this.#shares.size < set.threshold) return undefined;
    try {
      return await combineShares([...this.#shares.values()]);
    } finally {
      this.reset();
    }
  }

  reset(): void {
    this.#timer?.cancel();
    for (const share of this.#shares.values()) share.value[Symbol.dispose]();
    this.#shares.clear();
  }

  [Symbol.dispose](): void {
    this.reset();
  }
}
