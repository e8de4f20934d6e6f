import type { ErrorTraits } from './traits.ts';

export const replicationErrors = {
  /** Certainly not executed: it never left this node. */
  'replication.unreachable': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  /** The other node may or may not have executed it: retry only with the same request id. */
  'replication.outcome-unknown': { grpc: 'UNAVAILABLE', http: 503, retry: 'same-node' },
  'replication.stale': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'replication.unknown-revision': { grpc: 'FAILED_PRECONDITION', http: 412, retry: 'never' },
  'replication.behind': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
} as const satisfies Record<string, ErrorTraits>;
