import type { Clock, Timer } from '../../lib/index.ts';

/** Ticks at a steady pace, one at a time. */
export class Ticker {
  readonly #clock: Clock;
  readonly #soon: (callback: () => void) => void;
  readonly #tickMs: number;
  readonly #onTick: () => void;
  #timer: Timer | undefined;

  constructor(options: {
    readonly clock: Clock;
    /** Runs a callback in a later turn of the loop, after what has arrived was read. */
    readonly soon: (callback: () => void) => void;
    readonly tickMs: number;
    /** Calls `arm` for the next tick. */
    readonly onTick: () => void;
  }) {
    this.#clock = options.clock;
    this.#soon = options.soon;
    this.#tickMs = options.tickMs;
    this.#onTick = options.onTick;
  }

  /**
   * Timers run before sockets are read: after a stall of the loop the heartbeats that waited are
   * heard first, and a late tick counts once (etcd #9939).
   */
  arm(): void {
    this.#timer = this.#clock.after(this.#tickMs, () => this.#soon(this.#onTick));
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
