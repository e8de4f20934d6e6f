import type { PhysicalView } from './disk/physical-view.ts';
import { places, wholePlace } from './disk/places.ts';
import { KeyFilter } from './key-filter.ts';

interface KnownKeysOptions {
  /** The newest state. */
  readonly view: () => PhysicalView;
  /** How many data records there are. */
  readonly records: () => number;
  /** A filter is made for so many keys at least, 0 for none at all. */
  readonly keysMin: number;
  readonly bytesMax: number;
  readonly onFailed: (error: unknown) => void;
}

const PAGE = 256;

/**
 * Tells keys that were never put from those that may be there, without reading. Each put of a new
 * version is of such a key, and to find on disk that it is absent costs more the more there are.
 *
 * The filter is filled in the background after opening, and again when so many keys were added
 * that it would err often; deleted keys leave it only then.
 */
export class KnownKeys {
  readonly #options: KnownKeysOptions;
  /** Holds every key there is. */
  #whole: KeyFilter | undefined;
  /** Holds what was added since its view was opened, and what was read of that by now. */
  #filling: KeyFilter | undefined;
  #room = 0;
  #worker: Promise<void> | undefined;
  #stopped = false;

  constructor(options: KnownKeysOptions) {
    this.#options = options;
  }

  /** False only when there is no record under `key`, hidden or not. */
  mayHold(key: Uint8Array): boolean {
    return this.#whole === undefined || this.#whole.mayHold(key);
  }

  /** Must be told of each key that was absent and is put. */
  add(key: Uint8Array): void {
    this.#whole?.add(key);
    this.#filling?.add(key);
    if (--this.#room < 0) this.fill();
  }

  /** Begins to read which keys there are. Nothing may be half applied. */
  fill(): void {
    const { keysMin } = this.#options;
    if (keysMin === 0 || this.#worker !== undefined || this.#stopped) return;
    this.#worker = this.#fill();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#worker;
  }

  async #fill(): Promise<void> {
    // Not in the midst of an `apply`.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#stopped) return;
    const { view: open, records, keysMin, bytesMax, onFailed } = this.#options;
    // Reading one key costs some 5 us, so a put pays at most half of that for its new key.
    const added = Math.max(keysMin, 2 * records());
    const filter = new KeyFilter(records() + added, bytesMax);
    this.#room = added;
    this.#filling = filter;
    try {
      using view = open();
      for await (const page of view.pages({ ...wholePlace(places.data), pageSize: PAGE })) {
        if (this.#stopped) return;
        for (const { key } of page) filter.add(key, 1);
      }
      this.#whole = filter;
    } catch (error) {
      onFailed(error);
    } finally {
      this.#filling = undefined;
      this.#worker = undefined;
    }
  }
}
