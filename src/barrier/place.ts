/** 16 bytes, random, never reused: what a rename does not change. */
export type Uuid = Uint8Array;

/** Stops at the first difference: uuids are no secret. */
export function isSameUuid(a: Uuid, b: Uuid): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

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
