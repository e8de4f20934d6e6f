export { CodecError } from './codec/byte-reader.ts';
export type { KeyRange } from './codec/records.ts';
export { decodeTransaction, encodeTransaction } from './codec/transaction-codec.ts';
export { transactionLimits } from './limits.ts';
export { type OpenStoreOptions, openStore } from './open-store.ts';
export { verifySnapshot } from './snapshot/read-snapshot.ts';
export type { AppliedListener, Store } from './store.ts';
export type {
  RangeRead,
  Read,
  Revision,
  Transaction,
  TransactionResult,
  Write,
} from './transaction.ts';
export type { StateContent } from './verify-state.ts';
export type {
  ExpiredKey,
  RangeOptions,
  StoredEntry,
  StoredValue,
  View,
  WatchEvent,
} from './view.ts';
