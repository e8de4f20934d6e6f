/** What the faces of the API and a client need to know of a failure. */
export interface ErrorTraits {
  /** Name of the canonical gRPC status code. */
  readonly grpc:
    | 'INVALID_ARGUMENT'
    | 'UNAUTHENTICATED'
    | 'PERMISSION_DENIED'
    | 'NOT_FOUND'
    | 'ALREADY_EXISTS'
    | 'FAILED_PRECONDITION'
    | 'ABORTED'
    | 'OUT_OF_RANGE'
    | 'RESOURCE_EXHAUSTED'
    | 'UNAVAILABLE'
    | 'DEADLINE_EXCEEDED'
    | 'CANCELLED'
    | 'UNIMPLEMENTED'
    | 'DATA_LOSS'
    | 'INTERNAL';
  readonly http: number;
  /** Whether the same request may be sent again, and where. */
  readonly retry: 'never' | 'same-node' | 'other-node';
}
