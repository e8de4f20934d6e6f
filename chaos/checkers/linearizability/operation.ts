/**
 * What a client did and saw. Times are from one monotonic clock of the process that recorded them,
 * so that "returned before the other was called" means something.
 */
export interface Operation<Input, Output> {
  readonly client: number;
  readonly input: Input;
  /** When it was sent, in milliseconds. */
  readonly calledAt: number;
  /**
   * What came back; `undefined` when nobody knows whether it happened (timeout, lost connection).
   * An operation that certainly did not happen does not belong into a history.
   */
  readonly output: Output | undefined;
  /** When the answer came; ignored for an unknown output, which may take effect at any later time. */
  readonly returnedAt: number;
}
