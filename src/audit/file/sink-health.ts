import type { Clock, Timer } from '../../lib/index.ts';
import type { Gauge, Logger, Metrics } from '../../telemetry/index.ts';

/** A sink that failed tries by itself so often: on a node that gets no requests nobody else would. */
const PROBE_MS = 250;

export interface SinkHealthOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Tries to write a record that says how many were refused; its failure is expected. */
  readonly probe: (refused: number) => void;
}

/** Whether a sink takes records. One that does not is tried again and again until it does. */
export class SinkHealth {
  readonly #options: SinkHealthOptions;
  readonly #gauge: Gauge;
  readonly #listeners = new Set<() => void>();
  #isWell = true;
  /** Since the last write that ended well. */
  #refused = 0;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: SinkHealthOptions) {
    this.#options = options;
    this.#gauge = options.metrics.gauge({
      name: 'strongroom_audit_sink_healthy',
      help: '1 while the sink takes records, 0 from a failed or hanging write until one that ends well',
      labels: ['sink'],
    });
    this.#tell();
  }

  get isWell(): boolean {
    return this.#isWell && !this.#isStopped;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A write failed, or has not ended in time. Told in the log once, not for every write. */
  failed(records: number, failure: { readonly code: string; readonly cause?: unknown }): void {
    this.#refused += records;
    if (this.#isStopped || !this.#isWell) return;
    this.#isWell = false;
    const { name: sink, log } = this.#options;
    log.error(
      { sink, code: failure.code, cause: failure.cause },
      'Audit records could not be written',
    );
    this.#tell();
    this.#probeLater();
  }

  /** A write ended well. */
  wrote(): void {
    if (this.#isWell) return;
    const { name: sink, log } = this.#options;
    log.info({ sink, refused: this.#refused }, 'Audit records can be written again');
    this.#isWell = true;
    this.#refused = 0;
    this.#timer?.cancel();
    this.#tell();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#listeners.clear();
  }

  #probeLater(): void {
    this.#timer = this.#options.clock.after(PROBE_MS, () => {
      if (this.#isWell || this.#isStopped) return;
      this.#options.probe(this.#refused);
      this.#probeLater();
    });
  }

  #tell(): void {
    this.#gauge.set(this.#isWell ? 1 : 0, { sink: this.#options.name });
    for (const listener of this.#listeners) listener();
  }
}
