import type { ErrorTraits } from './traits.ts';

export const raftErrors = {
  'raft.not-leader': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'raft.no-leader': { grpc: 'UNAVAILABLE', http: 503, retry: 'same-node' },
  /** The entry may or may not have been committed: retry only with the same request id. */
  'raft.outcome-unknown': { grpc: 'UNAVAILABLE', http: 503, retry: 'same-node' },
  'raft.proposal-too-large': { grpc: 'RESOURCE_EXHAUSTED', http: 413, retry: 'never' },
  'raft.overloaded': { grpc: 'RESOURCE_EXHAUSTED', http: 503, retry: 'same-node' },
  'raft.stopped': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'raft.log-corrupt': { grpc: 'DATA_LOSS', http: 500, retry: 'never' },
  'raft.disk-failed': { grpc: 'UNAVAILABLE', http: 503, retry: 'other-node' },
  'raft.wrong-cluster': { grpc: 'FAILED_PRECONDITION', http: 400, retry: 'never' },
  'raft.membership-refused': { grpc: 'FAILED_PRECONDITION', http: 409, retry: 'never' },
  'raft.transfer-failed': { grpc: 'ABORTED', http: 503, retry: 'same-node' },
} as const satisfies Record<string, ErrorTraits>;
