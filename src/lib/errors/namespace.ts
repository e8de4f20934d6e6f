import type { ErrorTraits } from './traits.ts';

/** Namespaces and the mounts inside them. */
export const namespaceErrors = {
  'namespace.not-found': { grpc: 'NOT_FOUND', http: 404, retry: 'never' },
  'namespace.exists': { grpc: 'ALREADY_EXISTS', http: 400, retry: 'never' },
  'namespace.not-empty': { grpc: 'FAILED_PRECONDITION', http: 400, retry: 'never' },
  'mount.not-found': { grpc: 'NOT_FOUND', http: 404, retry: 'never' },
  'mount.in-use': { grpc: 'ALREADY_EXISTS', http: 400, retry: 'never' },
  'mount.unknown-type': { grpc: 'INVALID_ARGUMENT', http: 400, retry: 'never' },
} as const satisfies Record<string, ErrorTraits>;
