import type { Clock } from '../../src/lib/index.ts';
import { StrongroomError } from '../../src/lib/index.ts';

/**
 * What became of an operation. `ok`: it was answered. `maybe`: it may take effect at any time from
 * its call on (no answer in time, lost connection). `no`: it certainly had and will have no effect.
 */
export type Outcome = 'ok' | 'maybe' | 'no';

/** `told`: nobody asked just then, it came over a stream; it counts in no rate and no latency. */
export type Effect = 'read' | 'write' | 'told';

/** One operation of one client: one line of a history file. */
export interface Entry<Input = unknown, Output = unknown> {
  readonly client: number;
  readonly effect: Effect;
  readonly input: Input;
  /** In milliseconds since the run began, on the cluster's clock. */
  readonly calledAt: number;
  readonly returnedAt: number;
  readonly outcome: Outcome;
  /** Only with `ok`. */
  readonly output?: Output;
  /** Code of the failure, or its text when it has none. Never a secret. */
  readonly error?: string;
  /** Sent along with the request: the audit log of whichever node handled it names it. */
  readonly correlationId?: string;
}

/** How one operation is recorded. */
export interface Attempt<Input, Output> {
  readonly client: number;
  readonly effect: Effect;
  readonly input: Input;
  readonly call: () => Promise<Output>;
  /**
   * Whether this failure proves that nothing was done; absent: a failed read changes nothing, a
   * failed write may have been made. Clients ask again by themselves, so that even a plain refusal
   * at the end says nothing of an earlier try.
   */
  readonly isHarmless?: (error: unknown) => boolean;
  /** Of an audited operation, when `call` sends it. */
  readonly correlationId?: string;
}

/** Collects what the clients of one workload did and saw; lives for one run. */
export class History<Input = unknown, Output = unknown> {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #entries: Entry<Input, Output>[] = [];

  constructor(clock: Clock, startedAt: number) {
    this.#clock = clock;
    this.#startedAt = startedAt;
  }

  get entries(): readonly Entry<Input, Output>[] {
    return this.#entries;
  }

  /** Runs an operation and records it. @returns its output, undefined when it was not answered. */
  async run(attempt: Attempt<Input, Output>): Promise<Output | undefined> {
    const { client, effect, input, correlationId } = attempt;
    const calledAt = this.#now();
    const named = correlationId === undefined ? {} : { correlationId };
    const about = { client, effect, input, calledAt, ...named };
    try {
      const output = await attempt.call();
      this.#entries.push({ ...about, returnedAt: this.#now(), outcome: 'ok', output });
      return output;
    } catch (error) {
      const isHarmless = attempt.isHarmless?.(error) ?? effect !== 'write';
      const outcome = isHarmless ? 'no' : 'maybe';
      this.#entries.push({ ...about, returnedAt: this.#now(), outcome, error: nameOf(error) });
      return undefined;
    }
  }

  #now(): number {
    return Math.round((this.#clock.monotonicMs() - this.#startedAt) * 1_000) / 1_000;
  }
}

function nameOf(error: unknown): string {
  if (error instanceof StrongroomError) return error.code;
  return error instanceof Error ? error.message : String(error);
}
