export type { Store } from './store.ts';
export type {
  RangeRead,
  Read,
  Revision,
  Transaction,
  TransactionResult,
  Write,
} from './transaction.ts';
export type {
  ExpiredKey,
  RangeOptions,
  StoredEntry,
  StoredValue,
  View,
  WatchEvent,
} from './view.ts';
