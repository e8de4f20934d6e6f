import type { Barrier } from '../../barrier/index.ts';
import { concatBytes } from '../../lib/index.ts';
import type { Revision, StoredEntry, View } from '../../store/index.ts';
import { ListingPage, storedChildren } from './children.ts';
import type { Area, Listing, StorageView } from './storage.ts';

const WALK_CHUNK_ENTRIES = 128;

export interface StorageOptions {
  /** Owned from now on: disposed with what is opened over it. */
  readonly view: View;
  /** Borrowed. */
  readonly barrier: Barrier;
}

/**
 * Plaintext reads over one store view.
 *
 * All reads raise the barrier's errors: `barrier.sealed`, `barrier.tampered`,
 * `barrier.no-namespace-key`, `request.invalid`.
 */
export function openStorageView(options: StorageOptions): StorageView {
  return new SealedView(options);
}

class SealedView implements StorageView {
  readonly #view: View;
  readonly #barrier: Barrier;

  constructor({ view, barrier }: StorageOptions) {
    this.#view = view;
    this.#barrier = barrier;
  }

  get revision(): Revision {
    return this.#view.revision;
  }

  get(area: Area, path: readonly string[]): Uint8Array | undefined {
    const place = { ...area, path };
    const stored = this.#view.get(this.#barrier.sealPlace(place));
    return stored === undefined ? undefined : this.#barrier.openValue(place, stored.value);
  }

  has(area: Area, path: readonly string[]): boolean {
    return this.#view.get(this.#barrier.sealPlace({ ...area, path })) !== undefined;
  }

  async list(
    area: Area,
    folder: readonly string[],
    page: { readonly after?: string; readonly limit: number },
  ): Promise<Listing> {
    const wanted = new ListingPage(page);
    const children = storedChildren(this.#view, this.#barrier, area, folder, () => false);
    for await (const child of children) wanted.add(child);
    return wanted.listing();
  }

  async *walk(
    area: Area,
    folder: readonly string[],
  ): AsyncIterable<{ readonly path: readonly string[]; readonly value: Uint8Array }> {
    for await (const entry of storedBelow(this.#view, this.#barrier, area, folder)) {
      const place = this.#barrier.openPlace(entry.key);
      yield { path: place.path, value: this.#barrier.openValue(place, entry.value) };
    }
  }

  [Symbol.dispose](): void {
    this.#view[Symbol.dispose]();
  }
}

/** Everything stored below a folder, in the order of the store, sealed. */
export async function* storedBelow(
  view: View,
  barrier: Barrier,
  area: Area,
  folder: readonly string[],
): AsyncIterable<StoredEntry> {
  const { start, end } = barrier.rangeBelow({ ...area, path: folder });
  let from = start;
  for (;;) {
    const entries = await view.range({ start: from, end, limit: WALK_CHUNK_ENTRIES });
    yield* entries;
    const last = entries.at(-1);
    if (last === undefined || entries.length < WALK_CHUNK_ENTRIES) return;
    from = concatBytes(last.key, Uint8Array.of(0));
  }
}
