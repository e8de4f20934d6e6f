import type { ErrorTraits } from './traits.ts';

export const kvErrors = {
  'kv.not-found': { grpc: 'NOT_FOUND', http: 404, retry: 'never' },
  'kv.version-not-found': { grpc: 'NOT_FOUND', http: 404, retry: 'never' },
  'kv.version-deleted': { grpc: 'FAILED_PRECONDITION', http: 400, retry: 'never' },
  'kv.invalid-data': { grpc: 'INVALID_ARGUMENT', http: 400, retry: 'never' },
  'kv.check-and-set-mismatch': { grpc: 'FAILED_PRECONDITION', http: 400, retry: 'never' },
  'kv.check-and-set-required': { grpc: 'FAILED_PRECONDITION', http: 400, retry: 'never' },
} as const satisfies Record<string, ErrorTraits>;
