import type { Transaction } from '../store/index.ts';
import type { StorageTransaction, StorageView } from './storage/storage.ts';

/** A transaction that can be turned into what the store takes. */
export interface OpenTransaction extends StorageTransaction {
  finish(): Pick<Transaction, 'reads' | 'rangeReads' | 'writes'>;
}

/** Opens plaintext views of the local state. @throws StrongroomError `seal.sealed` */
export interface StoragePort {
  view(): StorageView;
  transaction(): OpenTransaction;
}
