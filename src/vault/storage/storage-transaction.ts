import { type Barrier, type Place, sealedRange } from '../../barrier/index.ts';
import { latin1Text, StrongroomError } from '../../lib/index.ts';
import type {
  RangeRead,
  Read,
  Revision,
  StoredValue,
  Transaction,
  View,
} from '../../store/index.ts';
import { ListingPage, storedChildren } from './children.ts';
import { PendingWrites } from './pending-writes.ts';
import type { Area, Listing, StorageTransaction } from './storage.ts';
import { type StorageOptions, storedBelow } from './storage-view.ts';
import { KEYRING_RECORD, systemKey } from './system-record.ts';

const READS_MAX = 16_384;
const RANGE_READS_MAX = 1024;
/** Places whose store keys are remembered: what is read is written again at the end. */
const PLACES_MAX = 4;

/** A storage transaction as the pipeline holds it: handlers see the `StorageTransaction` in it. */
export interface OpenTransaction extends StorageTransaction {
  /** A record of the cluster itself, not sealed, such as `keyring`. Remembered like any read. */
  getSystem(name: string): Uint8Array | undefined;
  putSystem(name: string, value: Uint8Array): void;
  deleteSystem(name: string): void;
  readonly hasWrites: boolean;
  /** What to propose. The open transaction may go on, and this be called again. */
  toTransaction(requestId?: Uint8Array, receipt?: Uint8Array): Transaction;
}

/** Reads through `view`, collects writes; nothing is written before `toTransaction` is proposed. */
export function openStorageTransaction(options: StorageOptions): OpenTransaction {
  return new SealedTransaction(options);
}

class SealedTransaction implements OpenTransaction {
  readonly #view: View;
  readonly #barrier: Barrier;
  readonly #pending = new PendingWrites();
  readonly #reads = new Map<string, Read>();
  readonly #rangeReads = new Map<string, RangeRead>();
  readonly #places: { readonly place: Place; readonly key: Uint8Array }[] = [];
  #hasKeyring = false;

  constructor({ view, barrier }: StorageOptions) {
    this.#view = view;
    this.#barrier = barrier;
  }

  get revision(): Revision {
    return this.#view.revision;
  }

  get hasWrites(): boolean {
    return this.#pending.size > 0;
  }

  get(area: Area, path: readonly string[]): Uint8Array | undefined {
    const place = { ...area, path };
    const sealed = this.#read(this.#sealPlace(place));
    return sealed === undefined ? undefined : this.#barrier.openValue(place, sealed);
  }

  has(area: Area, path: readonly string[]): boolean {
    return this.#read(this.#barrier.sealPlace({ ...area, path })) !== undefined;
  }

  async list(
    area: Area,
    folder: readonly string[],
    page: { readonly after?: string; readonly limit: number },
  ): Promise<Listing> {
    const { start, end } = this.#rememberBelow(area, folder);
    const wanted = new ListingPage(page);
    const isHidden = (key: Uint8Array) => this.#pending.isDeleted(key);
    const children = storedChildren(this.#view, this.#barrier, area, folder, isHidden);
    for await (const child of children) wanted.add(child);
    for (const { path } of this.#pending.putsWithin(start, end)) {
      const name = path[folder.length] ?? '';
      wanted.add({ name, isFolder: path.length > folder.length + 1 });
    }
    return wanted.listing();
  }

  async *walk(
    area: Area,
    folder: readonly string[],
  ): AsyncIterable<{ readonly path: readonly string[]; readonly value: Uint8Array }> {
    const { start, end } = this.#rememberBelow(area, folder);
    const seen = new Set<string>();
    for await (const entry of storedBelow(this.#view, this.#barrier, area, folder)) {
      // Looked up at each step, because the caller may write while it walks.
      const pending = this.#pending.look(entry.key);
      const value = pending === undefined ? entry.value : pending.value;
      if (pending !== undefined) seen.add(latin1Text(entry.key));
      if (value === undefined) continue;
      const place = this.#barrier.openPlace(entry.key);
      yield { path: place.path, value: this.#barrier.openValue(place, value) };
    }
    for (const put of this.#pending.putsWithin(start, end)) {
      const value = this.#pending.look(put.key)?.value;
      if (seen.has(latin1Text(put.key)) || value === undefined) continue;
      yield {
        path: put.path,
        value: this.#barrier.openValue({ ...put.area, path: put.path }, value),
      };
    }
  }

  put(
    area: Area,
    path: readonly string[],
    value: Uint8Array,
    options?: { readonly expiresAtMs?: number },
  ): void {
    const place = { ...area, path };
    const key = this.#sealPlace(place);
    this.#rememberKeyring();
    const sealed = this.#barrier.sealValue(place, value);
    const deadline = options?.expiresAtMs === undefined ? {} : { expiresAtMs: options.expiresAtMs };
    this.#pending.add({ kind: 'put', key, value: sealed, ...deadline }, { area, path, key });
  }

  delete(area: Area, path: readonly string[]): void {
    this.#pending.add({ kind: 'delete', key: this.#barrier.sealPlace({ ...area, path }) });
  }

  deleteBelow(area: Area, folder: readonly string[]): void {
    const { start, end } = this.#barrier.rangeBelow({ ...area, path: folder });
    this.#pending.addRange(start, end);
  }

  deleteAll(scope: { readonly namespace: Uint8Array; readonly mount?: Uint8Array }): void {
    const { start, end } = sealedRange(scope.namespace, scope.mount);
    this.#pending.addRange(start, end);
  }

  getSystem(name: string): Uint8Array | undefined {
    return this.#read(systemKey(name));
  }

  putSystem(name: string, value: Uint8Array): void {
    this.#pending.add({ kind: 'put', key: systemKey(name), value });
  }

  deleteSystem(name: string): void {
    this.#pending.add({ kind: 'delete', key: systemKey(name) });
  }

  toTransaction(requestId?: Uint8Array, receipt?: Uint8Array): Transaction {
    return {
      reads: [...this.#reads.values()],
      rangeReads: [...this.#rangeReads.values()],
      writes: this.#pending.toWrites(),
      ...(requestId === undefined ? {} : { requestId }),
      ...(receipt === undefined ? {} : { receipt }),
    };
  }

  [Symbol.dispose](): void {
    this.#view[Symbol.dispose]();
  }

  /** A path is known by being the same list, which costs nothing to ask. */
  #sealPlace(place: Place): Uint8Array {
    for (const known of this.#places) if (isSamePlace(known.place, place)) return known.key;
    const key = this.#barrier.sealPlace(place);
    if (this.#places.length < PLACES_MAX) this.#places.push({ place, key });
    return key;
  }

  /** Its own writes first: they do not depend on what is stored, so nothing is remembered. */
  #read(key: Uint8Array): Uint8Array | undefined {
    const name = latin1Text(key);
    const pending = this.#pending.look(key, name);
    if (pending !== undefined) return pending.value;
    return this.#remember(key, name)?.value;
  }

  /**
   * What is sealed here depends on the keyring: if an epoch was added or a namespace destroyed
   * meanwhile, it must be sealed again. Otherwise a slow transaction could leave a value under an
   * epoch that was swept and dropped.
   */
  #rememberKeyring(): void {
    if (this.#hasKeyring) return;
    this.#hasKeyring = true;
    const key = systemKey(KEYRING_RECORD);
    this.#remember(key, latin1Text(key));
  }

  #remember(key: Uint8Array, name: string): StoredValue | undefined {
    const stored = this.#view.get(key);
    if (this.#reads.size >= READS_MAX) throw tooLarge(`read more than ${READS_MAX} records`);
    this.#reads.set(name, { key, revision: stored?.revision ?? (0 as Revision) });
    return stored;
  }

  #rememberBelow(area: Area, folder: readonly string[]): RangeRead {
    const range = this.#barrier.rangeBelow({ ...area, path: folder });
    if (this.#rangeReads.size >= RANGE_READS_MAX) {
      throw tooLarge(`list more than ${RANGE_READS_MAX} folders`);
    }
    const read = { ...range, revision: this.#view.revision };
    this.#rangeReads.set(latin1Text(range.start), read);
    return read;
  }
}

function isSamePlace(a: Place, b: Place): boolean {
  return (
    a.path === b.path && a.kind === b.kind && a.mount === b.mount && a.namespace === b.namespace
  );
}

function tooLarge(what: string): StrongroomError {
  return new StrongroomError(
    'store.transaction-too-large',
    `Cannot ${what} in one transaction, split it`,
  );
}
