/** How fresh a read must be. */
export type Consistency =
  | { readonly kind: 'linearizable' }
  | { readonly kind: 'at-least'; readonly revision: number }
  | { readonly kind: 'bounded'; readonly stalenessMs: number }
  | { readonly kind: 'eventual' };

export interface ClientOptions {
  /**
   * `host:port` of one node or several, or with `https://` or `http://` before it; further nodes are
   * learned from the cluster.
   */
  readonly addresses: readonly string[];
  /** PEM of the cluster's CA. Without it the system's own authorities are trusted. */
  readonly ca?: string | undefined;
  /** Speaks plain text. For development only; `http://` in an address says the same. */
  readonly insecurePlaintext?: boolean | undefined;
  readonly token?: string | undefined;
  readonly namespace?: string | undefined;
  /** Reads that may be stale go to a replica of this region, if there is one. */
  readonly region?: string | undefined;
  /** For calls that name none. */
  readonly timeoutMs?: number | undefined;
}

export interface CallOptions {
  readonly token?: string | undefined;
  readonly namespace?: string | undefined;
  readonly consistency?: Consistency | undefined;
  /** For all attempts together. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** 16 to 64 bytes; a fresh one is drawn for each call that is given none. */
  readonly requestId?: Uint8Array | undefined;
  readonly correlationId?: string | undefined;
}

export const TIMEOUT_MS = 30_000;
