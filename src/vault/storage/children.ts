import type { Barrier } from '../../barrier/index.ts';
import { concatBytes } from '../../lib/index.ts';
import type { View } from '../../store/index.ts';
import type { Area, Listing } from './storage.ts';

/** Keys read at once: few when subtrees are skipped, many along a flat folder. */
const CHUNK_KEYS = { min: 16, max: 512 } as const;
/** Names kept beyond those that are wanted, before the rest is thrown away. */
const SLACK_NAMES = 1024;

export interface FolderChild {
  readonly name: string;
  /** True for "something lies below this name", false for the record of that name. */
  readonly isFolder: boolean;
}

/**
 * The direct children of a folder as they lie on disk, which is not the order of their names. What
 * lies below a child is skipped by seeking past its range, so a folder with three huge subtrees
 * costs three seeks. A hidden key (deleted, not yet committed) is as if it were not there.
 */
export async function* storedChildren(
  view: View,
  barrier: Barrier,
  area: Area,
  folder: readonly string[],
  isHidden: (key: Uint8Array) => boolean,
): AsyncIterable<FolderChild> {
  const place = { ...area, path: folder };
  const { start, end } = barrier.rangeBelow(place);
  let from = start;
  let limit: number = CHUNK_KEYS.min;
  for (;;) {
    const entries = await view.range({ start: from, end, limit, keysOnly: true });
    let used = 0;
    let skipTo: Uint8Array | undefined;
    for (const { key } of entries) {
      if (skipTo !== undefined && Buffer.compare(key, skipTo) < 0) continue;
      used += 1;
      skipTo = undefined;
      if (isHidden(key)) continue;
      const child = barrier.childOf(place, key);
      yield { name: child.name, isFolder: child.isDeeper };
      // One key below it proves the folder; the rest of its range tells nothing new.
      if (child.isDeeper) skipTo = concatBytes(child.key, Uint8Array.of(0xff));
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < limit) return;
    from = skipTo ?? concatBytes(last.key, Uint8Array.of(0));
    limit =
      used * 2 >= limit ? Math.min(limit * 2, CHUNK_KEYS.max) : Math.max(limit / 2, CHUNK_KEYS.min);
  }
}

/** Picks one page of names, sorted, with memory for the page and not for the folder. */
export class ListingPage {
  readonly #after: string | undefined;
  readonly #limit: number;
  #names = new Set<string>();
  #dropped = false;

  constructor(page: { readonly after?: string; readonly limit: number }) {
    this.#after = page.after;
    this.#limit = page.limit;
  }

  add({ name, isFolder }: FolderChild): void {
    const shown = isFolder ? `${name}/` : name;
    if (this.#after !== undefined && shown <= this.#after) return;
    this.#names.add(shown);
    if (this.#names.size > this.#limit + SLACK_NAMES) this.#prune();
  }

  listing(): Listing {
    this.#prune();
    return { names: [...this.#names], more: this.#dropped };
  }

  #prune(): void {
    // Code units, as `<` compares them: the same order in which `after` is understood.
    const sorted = [...this.#names].sort((a, b) => (a < b ? -1 : 1));
    if (sorted.length > this.#limit) this.#dropped = true;
    this.#names = new Set(sorted.slice(0, this.#limit));
  }
}
