import { type Clock, type Random, StrongroomError } from '../lib/index.ts';

const FAILURES_BEFORE_OPEN = 3;
const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;
const CRASHES_MAX = 5;
const CRASH_WINDOW_MS = 600_000;

/**
 * Keeps a dead device from costing a process start and a deadline for every call: after three
 * failures in a row, calls fail at once until the backoff (full jitter) is over. A module that
 * crashed five times in ten minutes rests for the remainder of them.
 */
export class Breaker {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #token: string;
  #failures = 0;
  #lastReason = '';
  #closedUntilMs = 0;
  #crashesAtMs: readonly number[] = [];

  constructor(clock: Clock, random: Random, token: string) {
    this.#clock = clock;
    this.#random = random;
    this.#token = token;
  }

  /** @throws StrongroomError `hsm.unavailable` or `hsm.module-crashed` while it rests. */
  check(): void {
    const now = this.#clock.monotonicMs();
    this.#crashesAtMs = this.#crashesAtMs.filter((at) => now - at < CRASH_WINDOW_MS);
    const [firstCrash] = this.#crashesAtMs;
    if (firstCrash !== undefined && this.#crashesAtMs.length >= CRASHES_MAX) {
      throw this.#resting(
        'hsm.module-crashed',
        `its module crashed ${this.#crashesAtMs.length} times in ten minutes`,
        firstCrash + CRASH_WINDOW_MS - now,
      );
    }
    if (now < this.#closedUntilMs) {
      const why = `${this.#failures} tries failed in a row, the last one so: ${this.#lastReason}`;
      throw this.#resting('hsm.unavailable', why, this.#closedUntilMs - now);
    }
  }

  succeeded(): void {
    this.#failures = 0;
    this.#closedUntilMs = 0;
  }

  /** @param error told again to whoever calls while it rests. */
  failed(error: unknown, crashed: boolean): void {
    this.#lastReason = error instanceof Error ? error.message : String(error);
    const now = this.#clock.monotonicMs();
    this.#failures += 1;
    if (crashed) this.#crashesAtMs = [...this.#crashesAtMs.slice(-CRASHES_MAX), now];
    const beyond = this.#failures - FAILURES_BEFORE_OPEN;
    if (beyond < 0) return;
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(beyond, 10));
    this.#closedUntilMs = now + 1 + this.#random.below(ceiling);
  }

  #resting(
    code: 'hsm.unavailable' | 'hsm.module-crashed',
    why: string,
    retryAfterMs: number,
  ): StrongroomError {
    return new StrongroomError(
      code,
      `Token "${this.#token}" is left alone for ${Math.ceil(retryAfterMs)} ms: ${why}`,
      { details: { token: this.#token, retryAfterMs: Math.ceil(retryAfterMs) } },
    );
  }
}
