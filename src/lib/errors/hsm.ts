import type { ErrorTraits } from './traits.ts';

export const hsmErrors = {
  'hsm.module-missing': { grpc: 'FAILED_PRECONDITION', http: 503, retry: 'other-node' },
  'hsm.module-crashed': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'hsm.unavailable': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'hsm.timeout': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'hsm.token-missing': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'hsm.token-ambiguous': { grpc: 'FAILED_PRECONDITION', http: 503, retry: 'never' },
  'hsm.token-read-only': { grpc: 'FAILED_PRECONDITION', http: 503, retry: 'never' },
  'hsm.sessions-exhausted': { grpc: 'RESOURCE_EXHAUSTED', http: 503, retry: 'same-node' },
  /** Terminal for that PIN, in the whole cluster: never retried. */
  'hsm.pin-rejected': { grpc: 'FAILED_PRECONDITION', http: 503, retry: 'never' },
  'hsm.pin-final-try': { grpc: 'FAILED_PRECONDITION', http: 503, retry: 'never' },
  'hsm.pin-locked': { grpc: 'FAILED_PRECONDITION', http: 503, retry: 'never' },
  'hsm.pin-unusable': { grpc: 'FAILED_PRECONDITION', http: 503, retry: 'never' },
  'hsm.pin-unreadable': { grpc: 'FAILED_PRECONDITION', http: 503, retry: 'never' },
  'hsm.key-missing': { grpc: 'DATA_LOSS', http: 503, retry: 'never' },
  'hsm.key-mismatch': { grpc: 'DATA_LOSS', http: 503, retry: 'never' },
  'hsm.key-ambiguous': { grpc: 'FAILED_PRECONDITION', http: 503, retry: 'never' },
  'hsm.key-exists': { grpc: 'ALREADY_EXISTS', http: 409, retry: 'never' },
  'hsm.policy-violation': { grpc: 'FAILED_PRECONDITION', http: 503, retry: 'never' },
  /** The token refused the data; `Token.proveKek` tells whether the data or the token is bad. */
  'hsm.data-refused': { grpc: 'DATA_LOSS', http: 503, retry: 'never' },
  'hsm.misuse': { grpc: 'INTERNAL', http: 500, retry: 'never' },
  'hsm.closed': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
} as const satisfies Record<string, ErrorTraits>;
