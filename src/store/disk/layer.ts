/** One state of one physical key; `bytes` is undefined where it was deleted. */
export interface Version {
  readonly key: Buffer;
  readonly revision: number;
  readonly bytes: Uint8Array | undefined;
  readonly older: Version | undefined;
}

export interface LayerEntry {
  /** The physical key as one character a byte, which sorts as the bytes do. */
  readonly text: string;
  readonly bytes: Uint8Array | undefined;
}

/**
 * What was applied and is not yet on disk. Views that were opened before a change still find the
 * former versions. Filled once, then sealed and written; a view may keep it longer.
 */
export class Layer {
  readonly #newest = new Map<string, Version>();
  #bytes = 0;

  /** Keys and values, all versions. */
  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#newest.size;
  }

  /** `text` is that of `key`. */
  put(text: string, key: Buffer, revision: number, bytes: Uint8Array | undefined): void {
    const former = this.#newest.get(text);
    this.#bytes += text.length + (bytes?.length ?? 0);
    // The same transaction changed it before: nobody can see the step between.
    const older = former?.revision === revision ? former.older : former;
    this.#newest.set(text, { key, revision, bytes, older });
  }

  /** The newest version at or before `revision`. */
  read(text: string, revision: number): Version | undefined {
    let version = this.#newest.get(text);
    while (version !== undefined && version.revision > revision) version = version.older;
    return version;
  }

  newest(): IterableIterator<Version> {
    return this.#newest.values();
  }

  /** Adds to `found` what `[start, end)` held at `revision`, unless a newer layer said so before. */
  collect(start: string, end: string, revision: number, found: Map<string, LayerEntry>): void {
    for (const text of this.#newest.keys()) {
      if (text < start || text >= end || found.has(text)) continue;
      const version = this.read(text, revision);
      if (version !== undefined) found.set(text, { text, bytes: version.bytes });
    }
  }
}

/** One character a byte: cheap to hash, and ordered as the bytes are. */
export function keyText(key: Uint8Array): string {
  return asBuffer(key).toString('latin1');
}

export function keyBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
