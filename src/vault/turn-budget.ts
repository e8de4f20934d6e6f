import type { Clock } from '../lib/index.ts';

/** Well below a heartbeat: what else the node has to do waits for no more than this and one task. */
const TURN_MS = 10;

/**
 * Spreads work that is ready all at once over turns of the event loop. Thousands of reads wait for
 * one confirmed index, and when it comes, all could run in one turn: with large secrets for seconds,
 * in which no heartbeat is answered and a leader is lost. In the order in which they came.
 */
export class TurnBudget {
  readonly #clock: Clock;
  #waiting: (() => void)[] = [];
  #next = 0;
  #startedAtMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined: go on at once. Otherwise wait for it first. */
  enter(): Promise<void> | undefined {
    const now = this.#clock.monotonicMs();
    if (this.#startedAtMs === undefined) {
      this.#startedAtMs = now;
      setImmediate(() => void this.#turn());
    }
    if (this.#next === this.#waiting.length && now - this.#startedAtMs < TURN_MS) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #turn(): Promise<void> {
    if (this.#next === this.#waiting.length) {
      this.#startedAtMs = undefined;
      return;
    }
    const startedAtMs = this.#clock.monotonicMs();
    this.#startedAtMs = startedAtMs;
    while (this.#next < this.#waiting.length) {
      this.#waiting[this.#next++]?.();
      // Whoever was let go on runs before this line is left.
      await Promise.resolve();
      if (this.#clock.monotonicMs() - startedAtMs >= TURN_MS) break;
    }
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    }
    setImmediate(() => void this.#turn());
  }
}
