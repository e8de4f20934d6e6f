import { type Cancellation, utf8Bytes } from '../../lib/index.ts';
import type { Revision, Store, Transaction, TransactionResult } from '../../store/index.ts';

/** First byte of the keys of records that the cluster itself keeps, in clear. */
const SYSTEM_SPACE = 0x01;

export function systemKey(name: string): Uint8Array {
  const text = utf8Bytes(name);
  const key = new Uint8Array(1 + text.length);
  key[0] = SYSTEM_SPACE;
  key.set(text, 1);
  return key;
}

/** The keys of all records whose names begin with `prefix`. */
export function systemRange(prefix: string): {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
} {
  const start = systemKey(prefix);
  // Names are ASCII, so one past the last byte ends the range.
  const end = Uint8Array.from(start);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return { start, end };
}

export interface SystemRecord {
  readonly value: Uint8Array;
  /** 0 when the record is absent. */
  readonly revision: Revision;
}

export type SystemCommit = (
  transaction: Transaction,
  signal: Cancellation,
) => Promise<TransactionResult>;

/**
 * Plain records of the cluster, by name: members, seal envelopes, the sealed keyring, audit heads.
 * Each is public or sealed by itself.
 */
export class SystemRecords {
  readonly #store: Store;
  readonly #commit: SystemCommit;

  constructor(store: Store, commit: SystemCommit) {
    this.#store = store;
    this.#commit = commit;
  }

  get(name: string): SystemRecord | undefined {
    using view = this.#store.view();
    return view.get(systemKey(name));
  }

  async list(
    prefix: string,
    limit: number,
  ): Promise<readonly { name: string; value: Uint8Array }[]> {
    using view = this.#store.view();
    const found = await view.range({ ...systemRange(prefix), limit });
    return found.map(({ key, value }) => ({
      name: nameOf(key),
      value,
    }));
  }

  /**
   * Writes all of `changes` (`undefined` deletes) if nothing in `expected` was changed meanwhile.
   * @returns false when something was.
   */
  async write(
    changes: ReadonlyMap<string, Uint8Array | undefined>,
    expected: ReadonlyMap<string, Revision>,
    signal: Cancellation,
  ): Promise<boolean> {
    const result = await this.#commit(
      {
        reads: [...expected].map(([name, revision]) => ({ key: systemKey(name), revision })),
        writes: [...changes].map(([name, value]) =>
          value === undefined
            ? { kind: 'delete', key: systemKey(name) }
            : { kind: 'put', key: systemKey(name), value },
        ),
      },
      signal,
    );
    return result.kind === 'committed';
  }

  /**
   * Calls back after each applied batch that changed a record whose name begins with `prefix`.
   * @param listener gets their names; none when a whole range of records may have changed.
   */
  onChange(prefix: string, listener: (names: readonly string[]) => void): () => void {
    const wanted = Buffer.from(systemKey(prefix));
    return this.#store.onApplied((keys, _revision, ranges) => {
      const touched = keys.filter(
        (key) => key.length >= wanted.length && wanted.compare(key, 0, wanted.length) === 0,
      );
      // After a snapshot was installed, everything may have changed.
      const inRange = ranges.some(
        ({ start, end }) => wanted.compare(end) < 0 && startsBefore(start, wanted),
      );
      if (touched.length > 0 || inRange) listener(touched.map(nameOf));
    });
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.subarray(1)).toString('utf8');
}

/** Whether a range that begins at `start` can hold a key with `prefix`. */
function startsBefore(start: Uint8Array, prefix: Buffer): boolean {
  return prefix.compare(start, 0, Math.min(start.length, prefix.length)) >= 0;
}
