/**
 * What one transaction may hold. Checked where it is encoded and again where it is decoded, so
 * these numbers are a part of the protocol: every node must have the same.
 */
export const transactionLimits = {
  keyBytesMax: 8 * 1024,
  receiptBytesMax: 16 * 1024,
  requestIdBytesMin: 16,
  requestIdBytesMax: 64,
  readsMax: 16_384,
  rangeReadsMax: 1_024,
  writesMax: 16_384,
  encodedBytesMax: 4 * 1024 * 1024,
} as const;

/** Also a part of the protocol: what is forgotten must be forgotten at the same entry everywhere. */
export interface HistoryLimits {
  /** For so many entries a request id is remembered. */
  readonly requestRevisions: number;
  /** Range reads older than so many entries conflict. */
  readonly changeRevisions: number;
  /** Range reads conflict also when more key bytes than this changed meanwhile. */
  readonly changeBytes: number;
}

export const historyLimits: HistoryLimits = {
  requestRevisions: 100_000,
  changeRevisions: 10_000,
  changeBytes: 16 * 1024 * 1024,
};

/** What is kept in memory to spare reads of the disk; it changes no result. */
export interface CacheLimits {
  /** For the revisions of the data keys that were used last. */
  readonly headBytes: number;
  /** For the data records that were written or read last. */
  readonly valueBytes: number;
  /** For telling keys that were never put: made for so many at least, 0 for none at all. */
  readonly filterKeysMin: number;
  readonly filterBytesMax: number;
}

export const cacheLimits: CacheLimits = {
  headBytes: 32 * 1024 * 1024,
  valueBytes: 16 * 1024 * 1024,
  filterKeysMin: 1_000_000,
  filterBytesMax: 64 * 1024 * 1024,
};
