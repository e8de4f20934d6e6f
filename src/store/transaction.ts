import type { Branded } from '../lib/index.ts';

/** The log index of the entry that made a change. 0: never. */
export type Revision = Branded<number, 'Revision'>;

/** A read that the transaction depends on: applied only if the key still has this revision. */
export interface Read {
  readonly key: Uint8Array;
  /** 0 when the key was absent. */
  readonly revision: Revision;
}

export type Write =
  | {
      readonly kind: 'put';
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      /** Enters the key into the expiry index (wall milliseconds); a later put replaces it. */
      readonly expiresAtMs?: number;
    }
  /**
   * The same meaning in other bytes: a value that was sealed again under a newer key. Keeps the key's
   * revision and deadline and tells no watcher; does nothing when the key is absent.
   */
  | { readonly kind: 'rewrap'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: Uint8Array }
  /** Deletes `[start, end)`. */
  | { readonly kind: 'delete-range'; readonly start: Uint8Array; readonly end: Uint8Array };

/** A range that was listed: applied only if nothing in it changed since `revision`. */
export interface RangeRead {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly revision: Revision;
}

/** The one kind of command. Deterministic to apply: no clock, no chance, no crypto. */
export interface Transaction {
  readonly reads: readonly Read[];
  readonly rangeReads?: readonly RangeRead[];
  readonly writes: readonly Write[];
  /** 16 bytes or more, chosen by the client: a second transaction with it returns the first result. */
  readonly requestId?: Uint8Array;
  /** Small bytes kept with the request id and returned to a retry. */
  readonly receipt?: Uint8Array;
}

export type TransactionResult =
  | {
      readonly kind: 'committed';
      readonly revision: Revision;
      /** True when a former transaction with this request id gave the result. */
      readonly replayed: boolean;
      readonly receipt: Uint8Array | undefined;
    }
  /** Changed meanwhile: read again and retry. */
  | { readonly kind: 'conflict'; readonly key: Uint8Array };
