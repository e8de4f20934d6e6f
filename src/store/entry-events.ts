import { decodeTransaction } from './codec/transaction-codec.ts';
import { settleWrites } from './settle-writes.ts';
import type { Revision } from './transaction.ts';
import type { WatchEvent } from './view.ts';

/**
 * What one applied transaction changed, for watchers. The events are made from the entry when
 * somebody asks: of most entries nobody does, and a hundred thousand small objects that live for
 * seconds are what collecting garbage is spent on.
 */
export class EntryEvents {
  /** How many there are. */
  readonly count: number;
  readonly #revision: number;
  readonly #data: Uint8Array;
  /** Ordinals of the deletes that met no record, and tell nothing; in order. */
  readonly #silent: readonly number[];

  /** @param data of the entry, which is kept. */
  constructor(
    revision: number,
    data: Uint8Array,
    told: { readonly events: number; readonly silentDeletes: readonly number[] },
  ) {
    this.#revision = revision;
    this.#data = data;
    this.count = told.events;
    this.#silent = told.silentDeletes;
  }

  /** One event a key: what was deleted, then what was put. What ranges deleted is not in it. */
  recall(): readonly WatchEvent[] {
    const revision = this.#revision as Revision;
    const { deletes, puts } = settleWrites(decodeTransaction(this.#data).writes);
    const events: WatchEvent[] = [];
    let silent = 0;
    for (const [ordinal, { write }] of deletes.entries()) {
      if (this.#silent[silent] === ordinal) silent++;
      else events.push({ kind: 'delete', key: write.key, revision });
    }
    for (const { write } of puts) {
      events.push({ kind: 'put', key: write.key, value: write.value, revision });
    }
    return events;
  }
}
