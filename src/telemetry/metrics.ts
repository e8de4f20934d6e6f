/** Label values are from small closed sets: operation names, node ids, regions. Never a path. */
export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  /** @throws RangeError for what is negative or no number: a counter never falls. */
  add(count?: number, labels?: Labels): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

export interface MetricOptions {
  /** Full name with unit, such as `strongroom_raft_fsync_seconds`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** Makes instruments. Asking twice for one name gives the same instrument. */
export interface Metrics {
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Histogram;
}

const quietInstrument = { add() {}, set() {}, observe() {} };

export const quietMetrics: Metrics = {
  counter: () => quietInstrument,
  gauge: () => quietInstrument,
  histogram: () => quietInstrument,
};
