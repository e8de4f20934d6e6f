import type { Entry } from '../history/history.ts';
import type { Statistic } from '../scenario/measures.ts';
import type { OperationStats } from './record.ts';

/** The smallest value that at least that share of the sorted values does not exceed. */
export function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

/** Undefined when there is nothing to take it of. */
export function statisticOf(statistic: Statistic, values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const total = values.reduce((sum, value) => sum + value, 0);
  switch (statistic) {
    case 'last':
      return values.at(-1);
    case 'min':
      return sorted[0];
    case 'mean':
      return total / values.length;
    case 'median':
      return quantile(sorted, 0.5);
    case 'p99':
      return quantile(sorted, 0.99);
    case 'max':
      return sorted.at(-1);
    case 'total':
      return total;
  }
}

/** What the clients saw in a stretch of time. */
export function statsOf(entries: readonly Entry[], elapsedMs: number): OperationStats {
  const latencies = entries
    .filter((entry) => entry.outcome === 'ok')
    .map((entry) => entry.returnedAt - entry.calledAt)
    .sort((a, b) => a - b);
  const [median, p99, max] = [
    quantile(latencies, 0.5),
    quantile(latencies, 0.99),
    latencies.at(-1),
  ];
  return {
    ok: latencies.length,
    failed: entries.length - latencies.length,
    perSecond: elapsedMs > 0 ? (latencies.length * 1_000) / elapsedMs : 0,
    ...(median === undefined || p99 === undefined || max === undefined
      ? {}
      : { latency: { median, p99, max } }),
  };
}
