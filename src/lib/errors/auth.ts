import type { ErrorTraits } from './traits.ts';

export const authErrors = {
  'auth.permission-denied': { grpc: 'PERMISSION_DENIED', http: 403, retry: 'never' },
  'auth.bad-token': { grpc: 'PERMISSION_DENIED', http: 403, retry: 'never' },
} as const satisfies Record<string, ErrorTraits>;
