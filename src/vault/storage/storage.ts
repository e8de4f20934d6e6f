import type { Revision } from '../../store/index.ts';

/** A part of a mount's storage: one kind of record, named by path segments. */
export interface Area {
  readonly namespace: Uint8Array;
  readonly mount: Uint8Array;
  readonly kind: number;
}

export interface Listing {
  /**
   * Sorted (by UTF-16 code units) names of direct children; those with children of their own end with
   * "/". A name that is both a record and a folder is there twice: "a" and "a/".
   */
  readonly names: readonly string[];
  readonly more: boolean;
}

/** Plaintext reads at one revision. */
export interface StorageView extends Disposable {
  readonly revision: Revision;
  /** Synchronous. The bytes are the caller's. */
  get(area: Area, path: readonly string[]): Uint8Array | undefined;
  /**
   * Whether a record is there, which is not opened: for what may depend on that alone, because only
   * `get` proves that it is authentic.
   */
  has(area: Area, path: readonly string[]): boolean;
  /** At most `limit` names after `after`. Costs a look at each child of the folder, not below. */
  list(
    area: Area,
    folder: readonly string[],
    page: { readonly after?: string; readonly limit: number },
  ): Promise<Listing>;
  /** Every record below `folder`, all depths; for deleting trees and moving things. */
  walk(
    area: Area,
    folder: readonly string[],
  ): AsyncIterable<{ readonly path: readonly string[]; readonly value: Uint8Array }>;
}

/**
 * Reads that are remembered and writes that are collected, committed as one store transaction:
 * refused, and run again by the pipeline, when anything it read has changed. Reads see its own
 * writes.
 */
export interface StorageTransaction extends StorageView {
  put(
    area: Area,
    path: readonly string[],
    value: Uint8Array,
    options?: { readonly expiresAtMs?: number },
  ): void;
  delete(area: Area, path: readonly string[]): void;
  /** Deletes everything below `folder`, all depths. */
  deleteBelow(area: Area, folder: readonly string[]): void;
  /** Deletes all records of a mount, of every kind; without a mount, of the whole namespace. */
  deleteAll(scope: { readonly namespace: Uint8Array; readonly mount?: Uint8Array }): void;
}
