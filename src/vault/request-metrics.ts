import { StrongroomError } from '../lib/index.ts';
import type { Metrics } from '../telemetry/index.ts';

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Counts requests and measures how long they took, by operation. */
export class RequestMetrics {
  readonly #requests;
  readonly #seconds;
  readonly #inFlight;

  constructor(metrics: Metrics) {
    this.#requests = metrics.counter({
      name: 'strongroom_vault_requests_total',
      help: 'Requests handled on this node, by operation and outcome',
      labels: ['operation', 'outcome'],
    });
    this.#seconds = metrics.histogram({
      name: 'strongroom_vault_request_seconds',
      help: 'From decoded request to answer, by operation',
      labels: ['operation'],
      buckets: SECONDS,
    });
    this.#inFlight = metrics.gauge({
      name: 'strongroom_vault_requests_in_flight_count',
      help: 'Requests being handled on this node',
    });
  }

  finished(operation: string, seconds: number, error: unknown): void {
    this.#requests.add(1, { operation, outcome: outcomeOf(error) });
    this.#seconds.observe(seconds, { operation });
  }

  inFlight(count: number): void {
    this.#inFlight.set(count);
  }
}

function outcomeOf(error: unknown): string {
  if (error === undefined) return 'ok';
  return error instanceof StrongroomError ? error.code : 'node.internal';
}
