import type { ErrorTraits } from './traits.ts';

export const clusterErrors = {
  'cluster.identity-invalid': { grpc: 'FAILED_PRECONDITION', http: 500, retry: 'never' },
  'cluster.join-refused': { grpc: 'PERMISSION_DENIED', http: 403, retry: 'never' },
  'cluster.unknown-member': { grpc: 'NOT_FOUND', http: 404, retry: 'never' },
  'cluster.change-refused': { grpc: 'FAILED_PRECONDITION', http: 409, retry: 'never' },
  'cluster.start-failed': { grpc: 'FAILED_PRECONDITION', http: 500, retry: 'never' },
  'cluster.restoring': { grpc: 'UNAVAILABLE', http: 503, retry: 'same-node' },
  'cluster.certificate-invalid': { grpc: 'FAILED_PRECONDITION', http: 400, retry: 'never' },
} as const satisfies Record<string, ErrorTraits>;
