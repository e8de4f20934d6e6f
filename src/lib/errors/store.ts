import type { ErrorTraits } from './traits.ts';

export const storeErrors = {
  /** A key that the transaction had read was changed before it committed. */
  'store.conflict': { grpc: 'ABORTED', http: 409, retry: 'same-node' },
  'store.compacted': { grpc: 'OUT_OF_RANGE', http: 410, retry: 'never' },
  'store.corrupt': { grpc: 'DATA_LOSS', http: 500, retry: 'never' },
  'store.disk-failed': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'store.snapshot-invalid': { grpc: 'INVALID_ARGUMENT', http: 400, retry: 'never' },
  'store.diverged': { grpc: 'DATA_LOSS', http: 500, retry: 'never' },
  'store.transaction-too-large': { grpc: 'RESOURCE_EXHAUSTED', http: 413, retry: 'never' },
} as const satisfies Record<string, ErrorTraits>;
