import {
  type Cancellation,
  CancelSource,
  type Clock,
  LinkedCancel,
  StrongroomError,
  type Timer,
} from '../../lib/index.ts';
import type { Revision, Store } from '../../store/index.ts';
import { SharedRound } from '../shared-round.ts';

export interface FreshnessOptions {
  readonly store: Pick<Store, 'revision' | 'whenApplied'>;
  readonly clock: Clock;
  /** An index that was committed after the call, confirmed by a quorum. */
  readonly askReadIndex: (signal: Cancellation) => Promise<number>;
  /** Asks so often by itself, so that bounded reads find a fresh state. */
  readonly probeIntervalMs?: number;
}

/** A round that gets no answer in this time has failed. */
const ROUND_TIMEOUT_MS = 5000;
/** Rounds that may wait for their index; later ones are not remembered. */
const CONFIRMED_MAX = 256;

/**
 * Knows how old the local state can be, without comparing clocks: a read index that was asked for
 * at the local time t covers all that was committed before t, so once it is applied, the state is
 * not older than t. The quorum's confirmation matters: a cut-off former leader would call stale
 * state fresh.
 */
export class Freshness implements AsyncDisposable {
  readonly #options: FreshnessOptions;
  readonly #round: SharedRound<number>;
  readonly #stop = new CancelSource();
  /** Rounds whose index is not yet known to be applied, oldest first. */
  readonly #confirmed: { readonly index: number; readonly startMs: number }[] = [];
  #asOfMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #probing = false;

  constructor(options: FreshnessOptions) {
    this.#options = options;
    this.#round = new SharedRound(() => this.#ask());
    if (options.probeIntervalMs !== undefined) this.#scheduleProbe(0);
  }

  /** How old the state can be; infinite when nothing was ever confirmed. */
  stalenessMs(): number {
    const { store, clock } = this.#options;
    let first = this.#confirmed[0];
    while (first !== undefined && first.index <= store.revision) {
      this.#asOfMs = Math.max(this.#asOfMs, first.startMs);
      this.#confirmed.shift();
      first = this.#confirmed[0];
    }
    return clock.monotonicMs() - this.#asOfMs;
  }

  /**
   * Resolves when everything that was committed before the call is applied here. Callers share
   * rounds.
   *
   * @throws whatever asking for the read index throws, and the reason of `signal`.
   */
  async renew(signal: Cancellation): Promise<void> {
    const index = await this.#round.join(signal);
    await this.#options.store.whenApplied(index as Revision, signal);
  }

  /** An index that was committed after the call; asked for by the same rounds as `renew`. */
  async confirmed(signal: Cancellation): Promise<number> {
    return this.#round.join(signal);
  }

  /** The state was replaced or found wrong: nothing is proven any more. */
  forget(): void {
    this.#asOfMs = Number.NEGATIVE_INFINITY;
    this.#confirmed.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel();
    this.#stop.abort(new StrongroomError('node.stopping', 'The node is stopping'));
  }

  async #ask(): Promise<number> {
    const { askReadIndex, clock } = this.#options;
    const startMs = clock.monotonicMs();
    using timeout = new LinkedCancel(this.#stop);
    const timer = clock.after(ROUND_TIMEOUT_MS, () =>
      timeout.abort(
        new StrongroomError(
          'replication.stale',
          'Cannot confirm how fresh the state is: no answer',
        ),
      ),
    );
    try {
      const index = await askReadIndex(timeout);
      if (this.#confirmed.length < CONFIRMED_MAX) this.#confirmed.push({ index, startMs });
      return index;
    } finally {
      timer.cancel();
    }
  }

  #scheduleProbe(delayMs: number): void {
    const { clock, probeIntervalMs } = this.#options;
    if (this.#stop.aborted || probeIntervalMs === undefined) return;
    this.#timer = clock.after(delayMs, () => {
      this.#scheduleProbe(probeIntervalMs);
      if (this.#probing) return;
      this.#probing = true;
      const done = (): void => {
        this.#probing = false;
      };
      // A failed probe shows as growing staleness.
      this.#round.join(this.#stop).then(done, done);
    });
  }
}
