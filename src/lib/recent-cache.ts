export interface RecentCacheOptions<K, V> {
  /** Of everything in it, together. */
  readonly sizeMax: number;
  /** What one entry counts for; 1 when absent. The same for the same entry, always. */
  readonly sizeOf?: (key: K, value: V) => number;
  /** What is kept of a value that was found in the older generation; the value itself when absent. */
  readonly carry?: (value: V) => V;
}

/**
 * What was used lately, in two generations: when the young one has filled half, it becomes the old
 * one, and what is found in the old one moves to the young. So an entry lasts for at least half of
 * `sizeMax` of other entries after its last use, and a hit costs one look-up (an exact order of use
 * would cost a deletion and an insertion).
 */
export class RecentCache<K, V> {
  readonly #halfSize: number;
  readonly #sizeOf: ((key: K, value: V) => number) | undefined;
  readonly #carry: ((value: V) => V) | undefined;
  #young = new Map<K, V>();
  #old = new Map<K, V>();
  /** Of the young ones; unused when each counts for 1. */
  #youngSize = 0;

  constructor({ sizeMax, sizeOf, carry }: RecentCacheOptions<K, V>) {
    this.#halfSize = sizeMax / 2;
    this.#sizeOf = sizeOf;
    this.#carry = carry;
  }

  get(key: K): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const older = this.#old.get(key);
    if (older === undefined) return undefined;
    const carried = this.#carry === undefined ? older : this.#carry(older);
    this.set(key, carried);
    return carried;
  }

  /** Whether there is an answer; it counts for no use. */
  has(key: K): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  set(key: K, value: V): void {
    const sizeOf = this.#sizeOf;
    if (sizeOf !== undefined) {
      const former = this.#young.get(key);
      this.#youngSize += sizeOf(key, value) - (former === undefined ? 0 : sizeOf(key, former));
    }
    this.#young.set(key, value);
    const size = sizeOf === undefined ? this.#young.size : this.#youngSize;
    if (size <= this.#halfSize) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngSize = 0;
  }

  delete(key: K): void {
    const former = this.#young.get(key);
    if (former !== undefined && this.#sizeOf !== undefined) {
      this.#youngSize -= this.#sizeOf(key, former);
    }
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngSize = 0;
  }
}
