import {
  type Cancellation,
  CancelSource,
  type Clock,
  StrongroomError,
  type Timer,
} from '../../lib/index.ts';
import type { ApiBounds } from './bounds.ts';

/** The life of one call: its signal fires when the caller goes away or its time is over. */
export class CallScope implements Disposable {
  readonly #cancel = new CancelSource();
  readonly #timer: Timer | undefined;
  #disposed = false;
  #onEnd: ((reason: StrongroomError) => void) | undefined;

  /** @param timeoutMs undefined: until the caller goes away. */
  constructor(clock: Clock, timeoutMs: number | undefined) {
    if (timeoutMs === undefined) return;
    this.#timer = clock.after(Math.max(0, timeoutMs), () =>
      this.end(
        new StrongroomError(
          'request.deadline-exceeded',
          `The call was not answered within its ${Math.round(timeoutMs)} ms; a write may or may not ` +
            'have been made, retry it with the same request id',
        ),
      ),
    );
  }

  get signal(): Cancellation {
    return this.#cancel;
  }

  end(reason: StrongroomError): void {
    this.#cancel.abort(reason);
    this.#onEnd?.(reason);
  }

  /**
   * Settles as `work` does, or rejects with the reason as soon as the call is ended. One work at a
   * time. (Listening to the signal instead would cost more than the rest of a pipelined call.)
   */
  until<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#cancel.aborted) reject(this.#cancel.reason);
      this.#onEnd = reject;
      work.then(resolve, reject);
    });
  }

  cancel(): void {
    // gRPC says "cancelled" of every call that is over, answered ones too; an error costs its stack.
    if (this.#disposed || this.#cancel.aborted) return;
    this.end(new StrongroomError('request.cancelled', 'The caller called this call off'));
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.cancel();
  }
}

/** What is left of a gRPC deadline, within the bounds. */
export function timeoutOf(deadline: Date | number, clock: Clock, bounds: ApiBounds): number {
  const atMs = typeof deadline === 'number' ? deadline : deadline.getTime();
  if (!Number.isFinite(atMs)) return bounds.callMsDefault;
  return Math.min(atMs - clock.wallMs(), bounds.callMsMax);
}
