export {
  type RewrapSweeper,
  type RewrapSweeperOptions,
  rewrapSweeper,
  type SweepResult,
} from './rewrap-sweeper.ts';
export type { Area, Listing, StorageTransaction, StorageView } from './storage.ts';
export { type OpenTransaction, openStorageTransaction } from './storage-transaction.ts';
export { openStorageView, type StorageOptions } from './storage-view.ts';
export { KEYRING_RECORD, systemKey } from './system-record.ts';
