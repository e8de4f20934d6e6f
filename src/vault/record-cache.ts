import type { Barrier, Place } from '../barrier/index.ts';
import { latin1Text, StrongroomError } from '../lib/index.ts';
import type { Store } from '../store/index.ts';

/** Entries over all kinds of record. The oldest go first. */
export const CACHE_ENTRIES_MAX = 100_000;

interface Entry {
  readonly id: string;
  readonly storeKey: string;
  readonly value: unknown;
  readonly startsGeneration: boolean;
  readonly dropsAll: boolean;
}

export interface RecordKind<T> {
  /** Tells the ids of this kind from those of others. */
  readonly prefix: string;
  place(id: string): Place;
  decode(bytes: Uint8Array, id: string): T;
  /** Remember also that a record is absent. Only where callers cannot invent ids. */
  readonly rememberAbsent?: boolean;
  /** Something else is made from records of this kind: a change of one ends a generation. */
  readonly startsGeneration?: boolean;
  /** A change of one makes everything that is cached doubtful. */
  readonly dropsAll?: boolean;
}

/**
 * Decoded records of the vault itself, as they are in the local applied state: tokens, policies,
 * namespaces, mounts. An entry goes the moment that its record changes, on every node, because the
 * store tells of each applied key synchronously. Reading and remembering happen in one turn of the
 * event loop, so no change can fall between them.
 */
export class RecordCache implements Disposable {
  readonly #store: Store;
  readonly #currentBarrier: () => Barrier | undefined;
  readonly #byId = new Map<string, Entry>();
  readonly #byStoreKey = new Map<string, Entry>();
  readonly #unsubscribe: () => void;
  #barrier: Barrier | undefined;
  #generation = 0;

  constructor(store: Store, currentBarrier: () => Barrier | undefined) {
    this.#store = store;
    this.#currentBarrier = currentBarrier;
    this.#unsubscribe = store.onApplied((keys, _revision, ranges) => {
      // What was deleted as a range is not named key by key.
      if (ranges.length > 0) this.clear();
      else this.#onApplied(keys);
    });
  }

  /** Grows when a record was dropped that others are made from: those are then stale. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * @throws StrongroomError `seal.sealed`
   */
  read<T>(kind: RecordKind<T>, id: string): T | undefined {
    const barrier = this.barrier();
    const cacheId = kind.prefix + id;
    const hit = this.#byId.get(cacheId);
    if (hit !== undefined) return hit.value as T | undefined;

    const place = kind.place(id);
    const key = barrier.sealPlace(place);
    using view = this.#store.view();
    const stored = view.get(key);
    if (stored === undefined && kind.rememberAbsent !== true) return undefined;
    const value =
      stored === undefined ? undefined : kind.decode(barrier.openValue(place, stored.value), id);
    this.#remember({
      id: cacheId,
      storeKey: latin1Text(key),
      value,
      startsGeneration: kind.startsGeneration === true,
      dropsAll: kind.dropsAll === true,
    });
    return value;
  }

  /** The barrier, and an empty cache if it is another than before. @throws `seal.sealed` */
  barrier(): Barrier {
    const barrier = this.#currentBarrier();
    if (barrier !== this.#barrier) {
      this.clear();
      this.#barrier = barrier;
    }
    if (barrier === undefined) {
      throw new StrongroomError(
        'seal.sealed',
        'Cannot serve: this node is sealed, unseal it first',
      );
    }
    return barrier;
  }

  clear(): void {
    this.#byId.clear();
    this.#byStoreKey.clear();
    this.#generation++;
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.clear();
  }

  #remember(entry: Entry): void {
    if (this.#byId.size >= CACHE_ENTRIES_MAX) {
      for (const oldest of this.#byId.values()) {
        this.#forget(oldest);
        break;
      }
    }
    this.#byId.set(entry.id, entry);
    this.#byStoreKey.set(entry.storeKey, entry);
  }

  #forget(entry: Entry): void {
    this.#byId.delete(entry.id);
    this.#byStoreKey.delete(entry.storeKey);
    if (entry.startsGeneration) this.#generation++;
  }

  #onApplied(keys: readonly Uint8Array[]): void {
    if (this.#byStoreKey.size === 0) return;
    for (const key of keys) {
      const entry = this.#byStoreKey.get(latin1Text(key));
      if (entry === undefined) continue;
      if (entry.dropsAll) {
        this.clear();
        return;
      }
      this.#forget(entry);
    }
  }
}
