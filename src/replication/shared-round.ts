import { type Cancellation, type Deferred, deferred } from '../lib/index.ts';

/**
 * Lets many callers share one question whose answer counts only when it was asked after they came:
 * one round under way, one gathering. So a thousand reads cost two rounds.
 */
export class SharedRound<T> {
  readonly #ask: () => Promise<T>;
  #running = false;
  #gathering: Deferred<T> | undefined;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  /** The answer of a round that begins after this call. Rejects with `signal.reason` on abort. */
  async join(signal: Cancellation): Promise<T> {
    signal.throwIfAborted();
    this.#gathering ??= deferred<T>();
    const { promise } = this.#gathering;
    if (!this.#running) void this.#run();
    return await raceAbort(promise, signal);
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Whoever comes in the same turn still joins.
    await Promise.resolve();
    for (let round = this.#gathering; round !== undefined; round = this.#gathering) {
      this.#gathering = undefined;
      // Callers that gave up must not leave the failure unhandled.
      round.promise.catch(() => undefined);
      try {
        round.resolve(await this.#ask());
      } catch (error) {
        round.reject(error);
      }
    }
    this.#running = false;
  }
}

/** `promise`, or a rejection with the signal's reason when that comes first. */
export async function raceAbort<T>(promise: Promise<T>, signal: Cancellation): Promise<T> {
  signal.throwIfAborted();
  const aborted = deferred<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
