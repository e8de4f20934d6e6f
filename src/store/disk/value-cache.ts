import { RecentCache } from '../../lib/index.ts';

/** What stood under a key, unchanged from `revision` until now; `bytes` is undefined for nothing. */
export interface CachedValue {
  readonly revision: number;
  readonly bytes: Uint8Array | undefined;
}

/** What an entry takes beside key and value, roughly. */
const ENTRY_BYTES = 128;

/**
 * The newest values of the keys that were read last, so that a hot record is read from memory after
 * it went to disk, and also when it was written since. It holds what the tables hold, or nothing of
 * a key.
 */
export class ValueCache {
  readonly #values: RecentCache<string, CachedValue>;
  #writes = 0;

  constructor(bytesMax: number) {
    this.#values = new RecentCache({
      sizeMax: bytesMax,
      sizeOf: (text, { bytes }) => ENTRY_BYTES + text.length + (bytes?.length ?? 0),
      // A copy: what was written stands in memory that its neighbours, long forgotten, would share.
      carry: ({ revision, bytes }) => ({ revision, bytes: bytes && new Uint8Array(bytes) }),
    });
  }

  /** Grows with each write, of any key. */
  get writes(): number {
    return this.#writes;
  }

  get(text: string): CachedValue | undefined {
    return this.#values.get(text);
  }

  /**
   * Notes a change of a key that is held: most keys that are written are never read again, on
   * followers none, and would only take the place of those that are.
   */
  write(text: string, revision: number, bytes: Uint8Array | undefined): void {
    this.#writes++;
    if (this.#values.has(text)) this.#values.set(text, { revision, bytes });
  }

  /**
   * Keeps what was read by a view of `revision`. What may have changed since is not kept: any write
   * since the view was opened could be of this key.
   *
   * @param writesBefore the `writes` when the view was opened.
   */
  keepRead(
    text: string,
    revision: number,
    bytes: Uint8Array | undefined,
    writesBefore: number,
  ): void {
    if (writesBefore === this.#writes) this.#values.set(text, { revision, bytes });
  }
}
