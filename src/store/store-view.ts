import { hasCode, invariant, type StrongroomError } from '../lib/index.ts';
import { decodeData } from './codec/records.ts';
import type { PhysicalView } from './disk/physical-view.ts';
import { dataKey, userKey } from './disk/places.ts';
import { hides, type Tombstone } from './range-deletes.ts';
import type { Revision } from './transaction.ts';
import type { RangeOptions, StoredEntry, StoredValue, View } from './view.ts';

/** Entries that one `range` may return. */
const RANGE_ENTRIES_MAX = 10_000;
const PAGE_MAX = 512;

/** Data records as callers see them: decoded, checked, and without what range deletes hide. */
export class StoreView implements View {
  readonly #view: PhysicalView;
  readonly #tombstones: readonly Tombstone[];
  readonly #onCorrupt: (error: StrongroomError) => void;

  /** @param onCorrupt told of each record that is damaged, before the reader is. */
  constructor(
    view: PhysicalView,
    tombstones: readonly Tombstone[],
    onCorrupt: (error: StrongroomError) => void,
  ) {
    this.#view = view;
    this.#tombstones = tombstones;
    this.#onCorrupt = onCorrupt;
  }

  get revision(): Revision {
    return this.#view.revision as Revision;
  }

  get(key: Uint8Array): StoredValue | undefined {
    const place = dataKey(key);
    try {
      const bytes = this.#view.get(place);
      if (bytes === undefined) return undefined;
      const record = decodeData(place, bytes);
      if (hides(this.#tombstones, key, record.revision)) return undefined;
      return { value: record.value, revision: record.revision };
    } catch (error) {
      throw this.#met(error);
    }
  }

  async range(options: RangeOptions): Promise<readonly StoredEntry[]> {
    try {
      return await this.#range(options);
    } catch (error) {
      throw this.#met(error);
    }
  }

  async #range(options: RangeOptions): Promise<readonly StoredEntry[]> {
    const { limit } = options;
    invariant(Number.isSafeInteger(limit) && limit > 0, 'A range needs a positive limit', {
      limit,
    });
    const most = Math.min(limit, RANGE_ENTRIES_MAX);
    const found: StoredEntry[] = [];
    const pages = this.#view.pages({
      start: dataKey(options.start),
      end: dataKey(options.end),
      reverse: options.reverse ?? false,
      pageSize: Math.min(most, PAGE_MAX),
    });
    for await (const page of pages) {
      for (const { key: place, bytes } of page) {
        const record = decodeData(place, bytes);
        const key = userKey(place);
        if (hides(this.#tombstones, key, record.revision)) continue;
        const value = options.keysOnly === true ? new Uint8Array() : record.value;
        found.push({ key, value, revision: record.revision });
        if (found.length === most) return found;
      }
    }
    return found;
  }

  #met(error: unknown): unknown {
    if (hasCode(error, 'store.corrupt')) this.#onCorrupt(error);
    return error;
  }

  [Symbol.dispose](): void {
    this.#view[Symbol.dispose]();
  }
}
