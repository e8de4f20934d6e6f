import { type Cancellation, LinkedCancel } from './cancellation.ts';

/** Fires with `parent`, or after its time. Dispose it when the work is done. */
export class TimeLimit extends LinkedCancel {
  readonly #timer: NodeJS.Timeout;

  constructor(parent: Cancellation, ms: number) {
    super(parent);
    this.#timer = setTimeout(
      () => this.abort(new DOMException('Time ran out', 'TimeoutError')),
      ms,
    );
    this.#timer.unref();
  }

  override [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    super[Symbol.dispose]();
  }
}

/** `using limit = withTimeout(signal, ms)` */
export function withTimeout(parent: Cancellation, ms: number): TimeLimit {
  return new TimeLimit(parent, ms);
}
