import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client';
import { invariant } from '../lib/index.ts';
import type { Counter, Gauge, Histogram, Labels, MetricOptions, Metrics } from './metrics.ts';

/** Label sets of one metric. Labels come from small closed sets; more is a bug that must not eat memory. */
const SERIES_MAX = 2000;

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
  const base = (options: MetricOptions) => ({
    name: options.name,
    help: options.help,
    labelNames: labelNames(options),
    registers: [registry],
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    counter: (options) =>
      once('counter', options, (): Counter => {
        const metric = new PromCounter(base(options));
        const series = seriesOf(options, (...values) => metric.labels(...values));
        return { add: (count = 1, labels) => series(labels)?.inc(count) };
      }),
    gauge: (options) =>
      once('gauge', options, (): Gauge => {
        const metric = new PromGauge(base(options));
        const series = seriesOf(options, (...values) => metric.labels(...values));
        return { set: (value, labels) => series(labels)?.set(value) };
      }),
    histogram: (options) =>
      once('histogram', options, (): Histogram => {
        const metric = new PromHistogram({ ...base(options), buckets: [...options.buckets] });
        const series = seriesOf(options, (...values) => metric.labels(...values));
        return { observe: (value, labels) => series(labels)?.observe(value) };
      }),
  };
}

function labelNames(options: MetricOptions): string[] {
  return [...(options.labels ?? [])];
}

/** Finds a label set's series by a plain key: several times cheaper than prom-client's own hashing. */
function seriesOf<Series>(
  options: MetricOptions,
  open: (...values: string[]) => Series,
): (labels: Labels | undefined) => Series | undefined {
  const names = labelNames(options);
  if (names.length === 0) {
    const only = open();
    return () => only;
  }
  const known = new Map<string, Series>();
  return (labels) => {
    const values = names.map((name) => labels?.[name] ?? '');
    const key = values.join('\u0000');
    const found = known.get(key);
    if (found !== undefined || known.size >= SERIES_MAX) return found;
    const series = open(...values);
    known.set(key, series);
    return series;
  };
}
