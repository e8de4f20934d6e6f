import type { ErrorTraits } from './traits.ts';

export const auditErrors = {
  'audit.sink-failed': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'audit.chain-broken': { grpc: 'DATA_LOSS', http: 500, retry: 'never' },
  'audit.head-refused': { grpc: 'FAILED_PRECONDITION', http: 409, retry: 'never' },
  'audit.unreadable': { grpc: 'NOT_FOUND', http: 404, retry: 'never' },
} as const satisfies Record<string, ErrorTraits>;
