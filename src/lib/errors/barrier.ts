import type { ErrorTraits } from './traits.ts';

export const barrierErrors = {
  'barrier.sealed': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'barrier.tampered': { grpc: 'DATA_LOSS', http: 500, retry: 'never' },
  'barrier.wrong-key': { grpc: 'FAILED_PRECONDITION', http: 500, retry: 'never' },
  'barrier.no-namespace-key': { grpc: 'FAILED_PRECONDITION', http: 410, retry: 'never' },
  'barrier.keyring-full': { grpc: 'RESOURCE_EXHAUSTED', http: 507, retry: 'never' },
  'barrier.keyring-stale': { grpc: 'FAILED_PRECONDITION', http: 500, retry: 'never' },
} as const satisfies Record<string, ErrorTraits>;
