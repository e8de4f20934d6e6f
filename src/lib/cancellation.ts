/**
 * What tells work that nobody waits for it any more: the part of `AbortSignal` that work needs. Every
 * `AbortSignal` is one. The request path makes its own with {@link CancelSource}, because an
 * `AbortController` with one listener costs 7 microseconds and `AbortSignal.any` 35 on Node 20, more
 * than the cipher and the hash of a request together.
 */
export interface Cancellation {
  readonly aborted: boolean;
  // As in AbortSignal: whatever the canceller gave.
  readonly reason: unknown;
  /** @throws `reason` when cancelled. */
  throwIfAborted(): void;
  addEventListener(
    type: 'abort',
    listener: () => void,
    options?: { readonly once?: boolean },
  ): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Cancels once. Listeners are called in their order, each at most once. */
export class CancelSource implements Cancellation {
  #aborted = false;
  #reason: unknown;
  /** Most have one listener at a time, so an array costs less than a set. */
  #listeners: (() => void)[] | undefined;

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** Later calls change nothing. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    for (const listener of listeners ?? []) listener();
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason;
  }

  /** After the cancellation it does nothing, as with an `AbortSignal`: look at `aborted` first. */
  addEventListener(
    _type: 'abort',
    listener: () => void,
    _options?: { readonly once?: boolean },
  ): void {
    if (this.#aborted) return;
    if (this.#listeners === undefined) this.#listeners = [listener];
    else if (!this.#listeners.includes(listener)) this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    const at = this.#listeners?.indexOf(listener) ?? -1;
    if (at >= 0) this.#listeners?.splice(at, 1);
  }
}

/**
 * A cancellation that fires with `parent`, or by its own `abort`. Dispose it when the work is done:
 * until then the parent holds it.
 */
export class LinkedCancel extends CancelSource implements Disposable {
  readonly #parent: Cancellation;
  readonly #onParent = (): void => this.abort(this.#parent.reason);

  constructor(parent: Cancellation) {
    super();
    this.#parent = parent;
    if (parent.aborted) this.#onParent();
    else parent.addEventListener('abort', this.#onParent, { once: true });
  }

  [Symbol.dispose](): void {
    this.#parent.removeEventListener('abort', this.#onParent);
  }
}

/** For what wants the platform's own kind. */
export function asAbortSignal(cancellation: Cancellation): AbortSignal {
  if (cancellation instanceof AbortSignal) return cancellation;
  const controller = new AbortController();
  const abort = (): void => controller.abort(cancellation.reason);
  if (cancellation.aborted) abort();
  else cancellation.addEventListener('abort', abort, { once: true });
  return controller.signal;
}
