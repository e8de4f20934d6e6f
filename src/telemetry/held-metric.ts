import type { Metric, Registry } from 'prom-client';
import type { Labels, MetricOptions } from './metrics.ts';

/** Label sets of one metric. Labels come from small closed sets; more is a bug that must not eat memory. */
const SERIES_MAX = 2000;

interface ExportedValue {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * One metric whose numbers are held here and told to prom-client when it is scraped. A request counts
 * and observes half a dozen times, and prom-client's own instruments hash their labels anew each time.
 */
export class HeldMetric<Series> {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator = 'sum';
  readonly #labelNames: readonly string[];
  readonly #series = new Map<string, { readonly labels: Labels; readonly series: Series }>();
  readonly #make: () => Series;
  readonly #tell: (series: Series, labels: Labels) => readonly ExportedValue[];

  constructor(
    type: 'counter' | 'gauge' | 'histogram',
    { name, help, labels = [] }: MetricOptions,
    parts: {
      readonly make: () => Series;
      readonly tell: (series: Series, labels: Labels) => readonly ExportedValue[];
    },
  ) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#labelNames = labels;
    this.#make = parts.make;
    this.#tell = parts.tell;
    // A metric without labels shows from the start, at zero.
    if (labels.length === 0) this.of(undefined);
  }

  registerIn(registry: Registry): this {
    // The registry asks nothing of a metric but its name and `get`.
    registry.registerMetric(this as unknown as Metric);
    return this;
  }

  /** The series of a label set; undefined when there are too many. */
  of(labels: Labels | undefined): Series | undefined {
    const key = this.#keyOf(labels);
    const known = this.#series.get(key);
    if (known !== undefined) return known.series;
    if (this.#series.size >= SERIES_MAX) return undefined;
    const named = Object.fromEntries(this.#labelNames.map((name) => [name, labels?.[name] ?? '']));
    const series = this.#make();
    this.#series.set(key, { labels: named, series });
    return series;
  }

  /** What prom-client's registry calls. */
  get(): Promise<unknown> {
    const values = [...this.#series.values()].flatMap(({ labels, series }) =>
      this.#tell(series, labels),
    );
    const { name, help, type, aggregator } = this;
    return Promise.resolve({ name, help, type, aggregator, values });
  }

  #keyOf(labels: Labels | undefined): string {
    const [first, ...more] = this.#labelNames;
    if (first === undefined) return '';
    let key = labels?.[first] ?? '';
    for (const name of more) key += `\u0000${labels?.[name] ?? ''}`;
    return key;
  }
}

/** A counter's or gauge's number. */
export interface HeldNumber {
  value: number;
}

export function heldNumber(
  type: 'counter' | 'gauge',
  options: MetricOptions,
): HeldMetric<HeldNumber> {
  return new HeldMetric<HeldNumber>(type, options, {
    make: () => ({ value: 0 }),
    tell: ({ value }, labels) => [{ labels, value }],
  });
}

/** Observations of one label set; `counts` has one place a bucket, and one for what is above all. */
export interface HeldBuckets {
  sum: number;
  readonly counts: Float64Array;
}

export function heldBuckets(
  options: MetricOptions & { readonly buckets: readonly number[] },
): HeldMetric<HeldBuckets> {
  const { name, buckets } = options;
  return new HeldMetric<HeldBuckets>('histogram', options, {
    make: () => ({ sum: 0, counts: new Float64Array(buckets.length + 1) }),
    tell({ sum, counts }, labels) {
      let count = 0;
      const told: ExportedValue[] = [...buckets, '+Inf'].map((le, at) => {
        count += counts[at] ?? 0;
        return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
      });
      return [
        ...told,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ];
    },
  });
}

/** The place of the first bucket that holds `value`. Buckets are few, so a walk is quickest. */
export function bucketOf(buckets: readonly number[], value: number): number {
  let at = 0;
  while (at < buckets.length && value > (buckets[at] ?? 0)) at++;
  return at;
}
