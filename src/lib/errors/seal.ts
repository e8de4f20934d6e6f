import type { ErrorTraits } from './traits.ts';

export const sealErrors = {
  'seal.sealed': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'seal.uninitialized': { grpc: 'FAILED_PRECONDITION', http: 501, retry: 'never' },
  'seal.already-initialized': { grpc: 'FAILED_PRECONDITION', http: 400, retry: 'never' },
  'seal.foreign-closed': { grpc: 'FAILED_PRECONDITION', http: 409, retry: 'never' },
  'seal.sealed-by-hand': { grpc: 'FAILED_PRECONDITION', http: 503, retry: 'never' },
  'seal.envelope-corrupt': { grpc: 'DATA_LOSS', http: 503, retry: 'never' },
  'seal.root-mismatch': { grpc: 'DATA_LOSS', http: 503, retry: 'never' },
  'seal.share-invalid': { grpc: 'INVALID_ARGUMENT', http: 400, retry: 'never' },
  'seal.share-foreign': { grpc: 'INVALID_ARGUMENT', http: 400, retry: 'never' },
  'seal.share-wrong': { grpc: 'INVALID_ARGUMENT', http: 400, retry: 'never' },
  'seal.slot-unknown': { grpc: 'NOT_FOUND', http: 404, retry: 'never' },
  'seal.slot-exists': { grpc: 'ALREADY_EXISTS', http: 409, retry: 'never' },
  'seal.slot-not-configured': { grpc: 'FAILED_PRECONDITION', http: 400, retry: 'other-node' },
  'seal.slot-unfit': { grpc: 'INVALID_ARGUMENT', http: 400, retry: 'never' },
  'seal.last-slot': { grpc: 'FAILED_PRECONDITION', http: 409, retry: 'never' },
  'seal.dev-key-missing': { grpc: 'DATA_LOSS', http: 503, retry: 'never' },
  /** Somebody else changed the slots at the same time; nothing was changed by this one. */
  'seal.changed-meanwhile': { grpc: 'ABORTED', http: 409, retry: 'same-node' },
} as const satisfies Record<string, ErrorTraits>;
