import { collectDefaultMetrics, Registry } from 'prom-client';
import { invariant } from '../lib/index.ts';
import { bucketOf, heldBuckets, heldNumber } from './held-metric.ts';
import type { Counter, Gauge, Histogram, MetricOptions, Metrics } from './metrics.ts';

/** `Metrics` that Prometheus can scrape. */
export interface PromMetrics extends Metrics {
  readonly contentType: string;
  /** The exposition text. */
  text(): Promise<string>;
}

/**
 * Metrics by prom-client, with Node's own (event-loop delay quantiles, garbage collection, memory,
 * CPU) in the same registry.
 */
export function promMetrics(registry: Registry = new Registry()): PromMetrics {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 10 });
  const made = new Map<string, { readonly shape: string; readonly instrument: unknown }>();
  const once = <Instrument>(
    kind: string,
    options: MetricOptions,
    make: () => Instrument,
  ): Instrument => {
    const shape = `${kind}(${labelNames(options).join(',')})`;
    const known = made.get(options.name);
    if (known !== undefined) {
      invariant(
        known.shape === shape,
        `Metric ${options.name} was made as ${known.shape}, not ${shape}`,
      );
      return known.instrument as Instrument;
    }
    const instrument = make();
    made.set(options.name, { shape, instrument });
    return instrument;
  };
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    counter: (options) =>
      once('counter', options, (): Counter => {
        const metric = heldNumber('counter', options).registerIn(registry);
        return {
          add(count = 1, labels) {
            if (!(count >= 0)) throw new RangeError(`${options.name} cannot grow by ${count}`);
            const series = metric.of(labels);
            if (series !== undefined) series.value += count;
          },
        };
      }),
    gauge: (options) =>
      once('gauge', options, (): Gauge => {
        const metric = heldNumber('gauge', options).registerIn(registry);
        return {
          set(value, labels) {
            const series = metric.of(labels);
            if (series !== undefined) series.value = value;
          },
        };
      }),
    histogram: (options) =>
      once('histogram', options, (): Histogram => {
        const metric = heldBuckets(options).registerIn(registry);
        return {
          observe(value, labels) {
            const series = metric.of(labels);
            if (series === undefined) return;
            const at = bucketOf(options.buckets, value);
            series.counts[at] = (series.counts[at] ?? 0) + 1;
            series.sum += value;
          },
        };
      }),
  };
}

function labelNames(options: MetricOptions): string[] {
  return [...(options.labels ?? [])];
}
