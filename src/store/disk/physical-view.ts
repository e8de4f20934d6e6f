import { keyBytes, keyText, type Layer, type LayerEntry } from './layer.ts';
import type { DiskSnapshot } from './level-disk.ts';
import { places } from './places.ts';
import type { ValueCache } from './value-cache.ts';

export interface PhysicalEntry {
  readonly key: Buffer;
  readonly bytes: Uint8Array;
}

export interface PhysicalRange {
  readonly start: Buffer;
  readonly end: Buffer;
  readonly reverse?: boolean;
  readonly pageSize: number;
}

/**
 * Layers over a disk snapshot, as they were at one revision. The layer that is being written may be
 * in the snapshot already; it says the same, so reading it first is right either way.
 */
export class PhysicalView implements Disposable {
  readonly revision: number;
  /** Newest first. */
  readonly #layers: readonly Layer[];
  readonly #values: ValueCache;
  readonly #writesBefore: number;
  readonly #snapshot: DiskSnapshot;
  #open = true;

  constructor(
    revision: number,
    layers: readonly Layer[],
    values: ValueCache,
    snapshot: DiskSnapshot,
  ) {
    this.revision = revision;
    this.#layers = layers;
    this.#values = values;
    this.#writesBefore = values.writes;
    this.#snapshot = snapshot;
  }

  get(key: Buffer): Uint8Array | undefined {
    this.#checkOpen();
    const text = keyText(key);
    for (const layer of this.#layers) {
      const version = layer.read(text, this.revision);
      if (version !== undefined) return version.bytes;
    }
    const cached = this.#values.get(text);
    // What changed after this view was opened is not for it.
    if (cached !== undefined && cached.revision <= this.revision) return cached.bytes;
    const bytes = this.#snapshot.get(key);
    if (key[0] === places.data) {
      this.#values.keepRead(text, this.revision, bytes, this.#writesBefore);
    }
    return bytes;
  }

  /** Entries of `[start, end)` in order, in pages of about `pageSize`. */
  async *pages(range: PhysicalRange): AsyncGenerator<readonly PhysicalEntry[]> {
    this.#checkOpen();
    const reverse = range.reverse ?? false;
    const waiting = this.#collect(range, reverse);
    let next = 0;
    const disk = this.#snapshot.iterate({ ...range, reverse });
    for await (const rows of disk) {
      const page: PhysicalEntry[] = [];
      for (const [key, bytes] of rows) {
        const text = keyText(key);
        let entry = waiting[next];
        while (entry !== undefined && (reverse ? entry.text > text : entry.text < text)) {
          pushPresent(page, entry);
          entry = waiting[++next];
        }
        if (entry?.text === text) {
          pushPresent(page, entry);
          next++;
        } else {
          page.push({ key, bytes });
        }
      }
      if (page.length > 0) yield page;
      this.#checkOpen();
    }
    const rest: PhysicalEntry[] = [];
    for (; next < waiting.length; next++) pushPresent(rest, waiting[next]);
    if (rest.length > 0) yield rest;
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#snapshot.release();
  }

  #collect(range: PhysicalRange, reverse: boolean): readonly LayerEntry[] {
    const found = new Map<string, LayerEntry>();
    const [start, end] = [keyText(range.start), keyText(range.end)];
    for (const layer of this.#layers) layer.collect(start, end, this.revision, found);
    const sign = reverse ? -1 : 1;
    return [...found.values()].sort((a, b) => (a.text < b.text ? -sign : sign));
  }

  #checkOpen(): void {
    if (!this.#open) throw new Error('The view was already disposed');
  }
}

function pushPresent(page: PhysicalEntry[], entry: LayerEntry | undefined): void {
  if (entry?.bytes !== undefined) page.push({ key: keyBytes(entry.text), bytes: entry.bytes });
}
