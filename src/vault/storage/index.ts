export {
  type RewrapSweeper,
  rewrapSweeper,
} from './rewrap-sweeper.ts';
export type { Area, Listing, StorageTransaction, StorageView } from './storage.ts';
export { type OpenTransaction, openStorageTransaction } from './storage-transaction.ts';
export { openStorageView } from './storage-view.ts';
export { KEYRING_RECORD, systemKey } from './system-record.ts';
