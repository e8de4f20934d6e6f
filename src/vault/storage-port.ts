import type { Store } from '../store/index.ts';
import type { RecordCache } from './record-cache.ts';
import type { OpenTransaction, StorageView } from './storage/index.ts';
import { openStorageTransaction, openStorageView } from './storage/index.ts';

/** Opens plaintext views of the local state. @throws StrongroomError `seal.sealed` */
export interface StoragePort {
  view(): StorageView;
  transaction(): OpenTransaction;
}

export function storagePort(store: Store, records: RecordCache): StoragePort {
  // The barrier first: a view that is opened and then not taken over would stay open.
  return {
    view() {
      const barrier = records.barrier();
      return openStorageView({ view: store.view(), barrier });
    },
    transaction() {
      const barrier = records.barrier();
      return openStorageTransaction({ view: store.view(), barrier });
    },
  };
}
