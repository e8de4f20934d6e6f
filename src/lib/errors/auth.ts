import type { ErrorTraits } from './traits.ts';

export const authErrors = {
  'auth.permission-denied': { grpc: 'PERMISSION_DENIED', http: 403, retry: 'never' },
  'auth.bad-token': { grpc: 'PERMISSION_DENIED', http: 403, retry: 'never' },
  'token.not-renewable': { grpc: 'FAILED_PRECONDITION', http: 400, retry: 'never' },
  'policy.invalid': { grpc: 'INVALID_ARGUMENT', http: 400, retry: 'never' },
  'policy.not-found': { grpc: 'NOT_FOUND', http: 404, retry: 'never' },
  'policy.protected': { grpc: 'FAILED_PRECONDITION', http: 400, retry: 'never' },
} as const satisfies Record<string, ErrorTraits>;
