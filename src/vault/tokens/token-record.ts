/** A token as stored, under its keyed hash. The token itself is nowhere. */
export interface TokenRecord {
  readonly accessor: string;
  /** Keyed hash of the parent and its namespace (hex); absent for an orphan. */
  readonly parent?: { readonly namespace: string; readonly hash: string };
  /** How many ancestors; bounded, since each is looked at on every request. */
  readonly depth: number;
  readonly policies: readonly string[];
  readonly path: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly displayName: string;
  /** Uses left; 0: any number. `SPENT`: the last one was taken. */
  readonly usesLeft: number;
  readonly createdAtMs: number;
  /** 0: never. */
  readonly expiresAtMs: number;
  readonly creationTtlMs: number;
  readonly explicitMaxTtlMs: number;
  readonly periodMs: number;
  readonly renewable: boolean;
  readonly lastRenewedAtMs: number;
  /**
   * Set when revoked: the token is refused from then on. What becomes of its children is worked off
   * in bounded steps, then the record goes too.
   */
  readonly revoked?: 'with-children' | 'leaving-orphans';
}

/** `usesLeft` of a token whose last use was taken. */
export const SPENT = -1;

/** Ancestors a token may have. */
export const TOKEN_DEPTH_MAX = 32;

/** 768 hours: Vault's default. */
export const TOKEN_TTL_DEFAULT_MS = 768 * 3_600_000;
/** Vault's maximum, which is its default too. */
export const TOKEN_TTL_MAX_MS = 768 * 3_600_000;
