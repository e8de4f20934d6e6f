import type { Metrics } from '../telemetry/index.ts';
import type { TransactionResult } from './transaction.ts';

export interface StoreMetrics {
  applied(entries: number, index: number): void;
  outcome(result: TransactionResult): void;
  flushed(durationMs: number): void;
}

export function storeMetrics(metrics: Metrics): StoreMetrics {
  const entries = metrics.counter({
    name: 'strongroom_store_applied_entries_total',
    help: 'Log entries applied to the state',
  });
  const index = metrics.gauge({
    name: 'strongroom_store_applied_index',
    help: 'Log index of the last entry in the state',
  });
  const outcomes = metrics.counter({
    name: 'strongroom_store_transactions_total',
    help: 'Transactions applied, by outcome',
    labels: ['outcome'],
  });
  const flush = metrics.histogram({
    name: 'strongroom_store_flush_seconds',
    help: 'Time to write a batch of the state to disk and sync it',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1],
  });
  return {
    applied(count, last) {
      entries.add(count);
      index.set(last);
    },
    outcome(result) {
      const replayed = result.kind === 'committed' && result.replayed;
      outcomes.add(1, { outcome: replayed ? 'replayed' : result.kind });
    },
    flushed: (durationMs) => flush.observe(durationMs / 1000),
  };
}
