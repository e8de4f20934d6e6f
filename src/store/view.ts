import type { Revision } from './transaction.ts';

export interface StoredValue {
  readonly value: Uint8Array;
  readonly revision: Revision;
}

export interface StoredEntry extends StoredValue {
  readonly key: Uint8Array;
}

export interface RangeOptions {
  readonly start: Uint8Array;
  /** Exclusive. */
  readonly end: Uint8Array;
  readonly limit: number;
  readonly reverse?: boolean;
  readonly keysOnly?: boolean;
}

/**
 * The state at one revision: reads through it see neither earlier nor later. Dispose it soon: it
 * holds old data.
 */
export interface View extends Disposable {
  readonly revision: Revision;
  /**
   * Synchronous, about 5 to 20 microseconds.
   * @throws StrongroomError `store.corrupt`
   */
  get(key: Uint8Array): StoredValue | undefined;
  range(options: RangeOptions): Promise<readonly StoredEntry[]>;
}

export type WatchEvent =
  | {
      readonly kind: 'put';
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      readonly revision: Revision;
    }
  | { readonly kind: 'delete'; readonly key: Uint8Array; readonly revision: Revision }
  /** Nothing that matches happened up to here: where to resume. */
  | { readonly kind: 'progress'; readonly revision: Revision };

export interface ExpiredKey {
  readonly key: Uint8Array;
  readonly expiresAtMs: number;
}
