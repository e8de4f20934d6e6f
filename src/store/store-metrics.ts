import type { Metrics } from '../telemetry/index.ts';
import type { TransactionResult } from './transaction.ts';

export interface StoreMetrics {
  /** One batch: a result an entry, none for those that are no transaction. */
  applied(results: readonly (TransactionResult | undefined)[], index: number): void;
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
    applied(results, last) {
      entries.add(results.length);
      index.set(last);
      const counts = { committed: 0, replayed: 0, conflict: 0 };
      for (const result of results) {
        if (result === undefined) continue;
        const replayed = result.kind === 'committed' && result.replayed;
        counts[replayed ? 'replayed' : result.kind]++;
      }
      for (const outcome of ['committed', 'replayed', 'conflict'] as const) {
        if (counts[outcome] > 0) outcomes.add(counts[outcome], { outcome });
      }
    },
    flushed: (durationMs) => flush.observe(durationMs / 1000),
  };
}
