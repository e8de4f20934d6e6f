import type { Clock, Random } from '../lib/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { PROVE_EVERY_MS } from './slot-set.ts';

const BACKOFF_MIN_MS = 1_000;
/** Short: a cluster that starts while its HSM is away is to serve within seconds of its return. */
const BACKOFF_MAX_MS = 5_000;

/** Comes round for as long as the node lives: to unseal it, and then to see that it could again. */
export class Caretaker implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #round: () => Promise<'settled' | 'try-again'>;
  #loop: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #kicked = false;
  #stopped = false;
  #tries = 0;
  #nextTryAtMs = 0;

  constructor(
    clock: Clock,
    random: Random,
    log: Logger,
    round: () => Promise<'settled' | 'try-again'>,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#round = round;
  }

  /** Tries without success so far, and the wall time of the next one (0 when none is planned). */
  waiting(): { readonly started: boolean; readonly tries: number; readonly nextTryAtMs: number } {
    const started = this.#loop !== undefined;
    return { started, tries: this.#tries, nextTryAtMs: this.#tries === 0 ? 0 : this.#nextTryAtMs };
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Comes round at once. */
  kick(): void {
    this.#kicked = true;
    this.#wake?.();
  }

  settled(): void {
    this.#tries = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#kicked = false;
      try {
        const result = await this.#round();
        this.#tries = result === 'settled' ? 0 : this.#tries + 1;
      } catch (error) {
        this.#tries += 1;
        const reason = error instanceof Error ? error.message : String(error);
        if (!this.#stopped) this.#log.warn({ reason }, 'A round of the seal failed');
      }
      if (!this.#stopped && !this.#kicked) await this.#pause();
    }
  }

  #pause(): Promise<void> {
    const delayMs = this.#tries === 0 ? this.#jittered() : this.#backoff();
    this.#nextTryAtMs = this.#clock.wallMs() + delayMs;
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#wake = undefined;
        resolve();
      };
      const timer = this.#clock.after(delayMs, end);
      this.#wake = end;
    });
  }

  /** Spread, so that the nodes of a cluster do not all ask one HSM at the same moment. */
  #jittered(): number {
    return PROVE_EVERY_MS * 0.8 + this.#random.below(PROVE_EVERY_MS * 0.4);
  }

  /** Full jitter: anything up to a ceiling that doubles. */
  #backoff(): number {
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(this.#tries - 1, 10));
    return 1 + this.#random.below(ceiling);
  }
}
