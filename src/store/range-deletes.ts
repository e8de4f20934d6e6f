import type { LogFields } from '../telemetry/index.ts';
import { decodeData, type KeyRange } from './codec/records.ts';
import { keyText } from './disk/layer.ts';
import type { PhysicalView } from './disk/physical-view.ts';
import { dataKey, expiryKey, tombstoneKey, userKey } from './disk/places.ts';
import type { Tables } from './disk/tables.ts';
import { ABSENT, type HeadCache } from './head-cache.ts';
import { inRange } from './history.ts';

/** A delete-range that hides records and has not yet removed them. */
export interface Tombstone extends KeyRange {
  /** Hides records of smaller revisions. */
  readonly revision: number;
  readonly ordinal: number;
}

interface RangeDeletesOptions {
  readonly tables: Tables;
  readonly heads: HeadCache;
  /** The present revision, and what removes one data record from the count. */
  readonly revision: () => number;
  readonly onRemoved: (count: number) => void;
  readonly onFailed: (error: unknown, facts: LogFields) => void;
}

interface Pending {
  readonly tombstone: Tombstone;
  readonly view: PhysicalView;
  /** Older tombstones hid their records already. */
  readonly before: readonly Tombstone[];
  readonly onListed: ((keys: readonly Uint8Array[] | 'too-many') => void) | undefined;
}

const PAGE = 256;
/** A watch is not told of more keys than this at one revision; it is told to list again. */
export const RANGE_EVENTS_MAX = 50_000;

/**
 * Deletes of whole ranges take effect at once and cost the same for one record as for a million:
 * applying notes the range, which hides what is in it, and the records are removed afterwards.
 */
export class RangeDeletes {
  readonly #options: RangeDeletesOptions;
  #tombstones: readonly Tombstone[] = [];
  readonly #pending: Pending[] = [];
  #worker: Promise<void> | undefined;
  #stopped = false;

  constructor(options: RangeDeletesOptions) {
    this.#options = options;
  }

  /** A list that never changes; a view keeps the one of its revision. */
  get tombstones(): readonly Tombstone[] {
    return this.#tombstones;
  }

  /** `view` is of the state just after the transaction. */
  add(tombstone: Tombstone, view: PhysicalView, onListed: Pending['onListed']): void {
    this.#pending.push({ tombstone, view, before: this.#tombstones, onListed });
    this.#tombstones = [...this.#tombstones, tombstone];
    this.#worker ??= this.#work();
  }

  /** How many have not yet been worked off. */
  get backlog(): number {
    return this.#pending.length;
  }

  /** Resolves when none is left, or nothing works on them any more. */
  async settled(): Promise<void> {
    while (this.#pending.length > 0 && !this.#stopped) await this.#worker;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#worker;
    for (const pending of this.#pending) pending.view[Symbol.dispose]();
  }

  async #work(): Promise<void> {
    // Not in the midst of an `apply`.
    await new Promise((resolve) => setImmediate(resolve));
    let pending = this.#pending[0];
    while (pending !== undefined && !this.#stopped) {
      try {
        await this.#remove(pending);
      } catch (error) {
        this.#stopped = true;
        this.#options.onFailed(error, { revision: pending.tombstone.revision });
        return;
      }
      this.#pending.shift();
      pending.view[Symbol.dispose]();
      pending = this.#pending[0];
    }
    this.#worker = undefined;
  }

  async #remove(pending: Pending): Promise<void> {
    const { tables, revision } = this.#options;
    const { tombstone, view, before } = pending;
    let listed: Uint8Array[] | 'too-many' = [];
    const pages = view.pages({
      start: dataKey(tombstone.start),
      end: dataKey(tombstone.end),
      pageSize: PAGE,
    });
    for await (const page of pages) {
      if (this.#stopped) return;
      for (const { key, bytes } of page) {
        const record = decodeData(key, bytes);
        if (record.revision >= tombstone.revision) continue;
        const name = userKey(key);
        if (listed !== 'too-many' && !hides(before, name, record.revision)) {
          listed.push(name);
          if (listed.length > RANGE_EVENTS_MAX) listed = 'too-many';
        }
        this.#removeRecord(key, name, tombstone);
      }
      await tables.room();
    }
    pending.onListed?.(listed);
    tables.put(tombstoneKey(tombstone.revision, tombstone.ordinal), revision(), undefined);
    this.#tombstones = this.#tombstones.filter((other) => other !== tombstone);
    tables.applied();
  }

  /** Removes the record that is there now, unless it is younger than the range delete. */
  #removeRecord(key: Buffer, name: Uint8Array, tombstone: Tombstone): void {
    const { tables, heads, revision, onRemoved } = this.#options;
    const bytes = tables.get(key);
    if (bytes === undefined) return;
    const record = decodeData(key, bytes);
    if (record.revision >= tombstone.revision) return;
    tables.put(key, revision(), undefined);
    heads.set(keyText(name), ABSENT);
    if (record.expiresAtMs !== undefined) {
      tables.put(expiryKey(record.expiresAtMs, name), revision(), undefined);
    }
    onRemoved(1);
  }
}

/** Whether a range delete after it took this record away. */
export function hides(
  tombstones: readonly Tombstone[],
  key: Uint8Array,
  revision: number,
): boolean {
  for (const tombstone of tombstones) {
    if (revision < tombstone.revision && inRange(key, tombstone)) return true;
  }
  return false;
}
