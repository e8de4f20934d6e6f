/** What stood under a key, unchanged from `revision` until now; `bytes` is undefined for nothing. */
export interface CachedValue {
  readonly revision: number;
  readonly bytes: Uint8Array | undefined;
}

/** What an entry takes beside key and value, roughly. */
const OVERHEAD_BYTES = 128;

/**
 * The newest values of the keys that were written or read last, so that a hot record is read from
 * memory after it went to disk. It holds what the tables hold, or nothing of a key. Two
 * generations: the older is dropped when the younger has filled half of the bytes.
 */
export class ValueCache {
  readonly #halfBytes: number;
  #young = new Map<string, CachedValue>();
  #old = new Map<string, CachedValue>();
  #youngBytes = 0;
  #writes = 0;

  constructor(bytesMax: number) {
    this.#halfBytes = bytesMax / 2;
  }

  /** Grows with each write, of any key. */
  get writes(): number {
    return this.#writes;
  }

  get(text: string): CachedValue | undefined {
    const young = this.#young.get(text);
    if (young !== undefined) return young;
    const old = this.#old.get(text);
    if (old === undefined) return undefined;
    // A copy: what was written stands in memory that its neighbours, long forgotten, would share.
    const bytes = old.bytes && new Uint8Array(old.bytes);
    this.#set(text, { revision: old.revision, bytes });
    return old;
  }

  /** Notes a change. */
  write(text: string, revision: number, bytes: Uint8Array | undefined): void {
    this.#writes++;
    this.#set(text, { revision, bytes });
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
    if (writesBefore === this.#writes) this.#set(text, { revision, bytes });
  }

  #set(text: string, value: CachedValue): void {
    const former = this.#young.get(text);
    this.#young.set(text, value);
    this.#youngBytes += value.bytes?.length ?? 0;
    if (former === undefined) this.#youngBytes += text.length + OVERHEAD_BYTES;
    else this.#youngBytes -= former.bytes?.length ?? 0;
    if (this.#youngBytes <= this.#halfBytes) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }
}
