/**
 * What was used lately, in two generations: when the young one is full it becomes the old one, and
 * what is found in the old one moves to the young. So an entry lasts for at least half of
 * `entriesMax` other entries after its last use, and a hit costs one look-up (an exact order of use
 * would cost a deletion and an insertion).
 */
export class RecentCache<K, V> {
  readonly #generationMax: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(entriesMax: number) {
    this.#generationMax = Math.ceil(entriesMax / 2);
  }

  get(key: K): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const older = this.#old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
