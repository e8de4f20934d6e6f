import type { ErrorTraits } from './traits.ts';

/** What can be wrong with any request, whatever it asks for. */
export const requestErrors = {
  'request.invalid': { grpc: 'INVALID_ARGUMENT', http: 400, retry: 'never' },
  'request.too-large': { grpc: 'RESOURCE_EXHAUSTED', http: 413, retry: 'never' },
  'request.rate-limited': { grpc: 'RESOURCE_EXHAUSTED', http: 429, retry: 'same-node' },
  'request.unknown-operation': { grpc: 'UNIMPLEMENTED', http: 405, retry: 'never' },
  'request.cancelled': { grpc: 'CANCELLED', http: 499, retry: 'never' },
  'request.deadline-exceeded': { grpc: 'DEADLINE_EXCEEDED', http: 504, retry: 'same-node' },
  'request.overloaded': { grpc: 'RESOURCE_EXHAUSTED', http: 503, retry: 'same-node' },
  /** Whether what was sent arrived is not known. */
  'client.unreachable': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'node.stopping': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'node.address-unavailable': { grpc: 'UNAVAILABLE', http: 503, retry: 'never' },
  'node.internal': { grpc: 'INTERNAL', http: 500, retry: 'never' },
} as const satisfies Record<string, ErrorTraits>;
