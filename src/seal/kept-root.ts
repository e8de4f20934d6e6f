import { type Clock, SecretBytes, type Timer } from '../lib/index.ts';
import { rootIdOf } from './envelope.ts';
import type { SealLayout, SealRecords } from './records.ts';
import { catchUp, type Root } from './root.ts';

/** While a node begins again it hears of no order to seal; longer than this it keeps no key for it. */
export const KEEP_MS_MAX = 10 * 60_000;

/**
 * The root of a seal that ends, for the one that follows it in the same process: a node that makes
 * its damaged state anew would otherwise wait for people with shares, although it held the key a
 * moment ago. It is no more exposed here than in the seal that it came from, and is overwritten when
 * it is taken, too old, of no use, or no longer wanted.
 */
export class KeptRoot implements Disposable {
  readonly #clock: Clock;
  #root: Root | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#root === undefined;
  }

  /** Keeps a copy of `root` for a while. */
  keep(root: Root): void {
    this[Symbol.dispose]();
    this.#root = { ...root, secret: SecretBytes.copy(root.secret.reveal()) };
    this.#timer = this.#clock.after(KEEP_MS_MAX, () => this[Symbol.dispose]());
  }

  /**
   * The root that `layout` names, if the one that is kept leads to it. The caller owns it then.
   * Undefined, and kept on, while the records lie behind: a new state is still being filled.
   */
  take(records: SealRecords, layout: SealLayout): Root | undefined {
    const kept = this.#root;
    if (kept === undefined || layout.rootGeneration < kept.generation) return undefined;
    const root = catchUp(records, layout, kept);
    if (root === kept) this.#root = undefined;
    this[Symbol.dispose]();
    // The state was damaged: the memory may be what damaged it.
    if (root === undefined || (root.id === layout.rootId && rootIdOf(root.secret) === root.id)) {
      return root;
    }
    root.secret[Symbol.dispose]();
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#root?.secret[Symbol.dispose]();
    this.#timer = undefined;
    this.#root = undefined;
  }
}
