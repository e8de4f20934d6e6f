import { latin1Text, StrongroomError } from '../../lib/index.ts';
import type { Write } from '../../store/index.ts';
import type { Area } from './storage.ts';

/** Writes of one transaction. The store has a bound of its own, on bytes too. */
const WRITES_MAX = 16_384;

export interface PendingPut {
  readonly area: Area;
  readonly path: readonly string[];
  readonly key: Uint8Array;
}

/** Values are sealed already: plaintext is not kept around. */
interface Pending {
  readonly write: Extract<Write, { kind: 'put' | 'delete' }>;
  /** Absent for deletes and for records that are not sealed. */
  readonly put: PendingPut | undefined;
}

/** What a transaction will write, and how it changes what the same transaction reads. */
export class PendingWrites {
  readonly #byKey = new Map<string, Pending>();
  readonly #ranges: { readonly start: Uint8Array; readonly end: Uint8Array }[] = [];

  get size(): number {
    return this.#byKey.size + this.#ranges.length;
  }

  add(write: Pending['write'], put?: PendingPut): void {
    this.#byKey.set(latin1Text(write.key), { write, put });
    this.#checkSize();
  }

  addRange(start: Uint8Array, end: Uint8Array): void {
    for (const [name, { write }] of this.#byKey) {
      if (isWithin(write.key, start, end)) this.#byKey.delete(name);
    }
    this.#ranges.push({ start, end });
    this.#checkSize();
  }

  /** `name`: the key's `latin1Text`, if known. `undefined` when the transaction did not touch the key; otherwise the value it will have. */
  look(
    key: Uint8Array,
    name = latin1Text(key),
  ): { readonly value: Uint8Array | undefined } | undefined {
    const pending = this.#byKey.get(name);
    if (pending !== undefined) {
      return { value: pending.write.kind === 'put' ? pending.write.value : undefined };
    }
    const isDeleted = this.#ranges.some(({ start, end }) => isWithin(key, start, end));
    return isDeleted ? { value: undefined } : undefined;
  }

  isDeleted(key: Uint8Array): boolean {
    const pending = this.look(key);
    return pending !== undefined && pending.value === undefined;
  }

  /** Sealed records to be put within a range of store keys. */
  putsWithin(start: Uint8Array, end: Uint8Array): readonly PendingPut[] {
    const puts: PendingPut[] = [];
    for (const { put } of this.#byKey.values()) {
      if (put !== undefined && isWithin(put.key, start, end)) puts.push(put);
    }
    return puts;
  }

  /** Ranges first: a put into a deleted range came after the deletion, or is no longer here. */
  toWrites(): readonly Write[] {
    const ranges = this.#ranges.map(
      ({ start, end }): Write => ({ kind: 'delete-range', start, end }),
    );
    return [...ranges, ...[...this.#byKey.values()].map(({ write }) => write)];
  }

  #checkSize(): void {
    if (this.size <= WRITES_MAX) return;
    throw new StrongroomError(
      'store.transaction-too-large',
      `Cannot write more than ${WRITES_MAX} records in one transaction, split it`,
    );
  }
}

function isWithin(key: Uint8Array, start: Uint8Array, end: Uint8Array): boolean {
  return Buffer.compare(start, key) <= 0 && Buffer.compare(key, end) < 0;
}
