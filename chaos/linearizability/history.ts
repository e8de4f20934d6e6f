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

/** Collects operations of many clients running at once. */
export class HistoryRecorder<Input, Output> {
  readonly #operations: Operation<Input, Output>[] = [];
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /**
   * Runs `call` and records it. `classify` tells apart an error after which the operation may have
   * happened ("maybe": recorded with unknown output) from one after which it certainly did not.
   */
  async run(
    client: number,
    input: Input,
    call: () => Promise<Output>,
    classify: (error: unknown) => 'maybe' | 'never',
  ): Promise<Output | undefined> {
    const calledAt = this.#nowMs();
    try {
      const output = await call();
      this.#operations.push({ client, input, calledAt, output, returnedAt: this.#nowMs() });
      return output;
    } catch (error) {
      if (classify(error) === 'maybe') {
        this.#operations.push({
          client,
          input,
          calledAt,
          output: undefined,
          returnedAt: Number.POSITIVE_INFINITY,
        });
      }
      return undefined;
    }
  }

  get operations(): readonly Operation<Input, Output>[] {
    return this.#operations;
  }
}
