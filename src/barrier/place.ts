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
