/** 16 bytes, random, never reused: what a rename does not change. */
export type Uuid = Uint8Array;

/**
 * The logical place of a value. It is bound into the ciphertext, so that a value moved elsewhere
 * does not open.
 */
export interface Place {
  readonly namespace: Uuid;
  readonly mount: Uuid;
  /** What sort of record, in the mount's own numbering (0 to 255). */
  readonly kind: number;
  /** Plaintext segments, sealed one by one; each non-empty and at most 512 bytes of UTF-8. */
  readonly path: readonly string[];
}

/** Plaintext above, ciphertext below. Synchronous: keys are in memory while unsealed. */
export interface Barrier {
  /** The store key of a place: deterministic, so that lookup works on ciphertext. */
  sealPlace(place: Place): Uint8Array;
  /** @throws StrongroomError `barrier.tampered` */
  openPlace(key: Uint8Array): Place;
  /** The store keys of everything strictly below a folder. */
  rangeBelow(folder: Place): { readonly start: Uint8Array; readonly end: Uint8Array };

  sealValue(place: Place, plaintext: Uint8Array): Uint8Array;
  /** @throws StrongroomError `barrier.tampered` when it was changed, moved or swapped. */
  openValue(place: Place, ciphertext: Uint8Array): Uint8Array;

  /** The epoch that new values are sealed under. */
  readonly epoch: number;
  /** The epoch that `ciphertext` was sealed under, for the rewrap sweeper. */
  epochOf(ciphertext: Uint8Array): number;
}
