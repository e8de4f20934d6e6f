import { formatDuration, parseDurationMs, parseRatio } from './units.ts';

export type Unit = 'duration' | 'ratio' | 'rate' | 'count';

export interface Measure {
  readonly unit: Unit;
  readonly summary: string;
  /** The first is meant when none is written. */
  readonly statistics: readonly Statistic[];
  /** May be followed by "after FAULT" and "after heal of FAULT". */
  readonly afterFault?: boolean;
}

export const statistics = ['last', 'min', 'mean', 'median', 'p99', 'max', 'total'] as const;
export type Statistic = (typeof statistics)[number];

const gauge: readonly Statistic[] = ['last', 'min', 'mean', 'max'];
const spread: readonly Statistic[] = ['max', 'median', 'p99', 'mean', 'min'];

/** Everything that a hypothesis, an objective or an abort condition can speak of. */
export const measures = {
  leaders: { unit: 'count', summary: 'nodes that lead in the newest term', statistics: gauge },
  'down-nodes': { unit: 'count', summary: 'nodes that do not answer', statistics: gauge },
  'sealed-nodes': { unit: 'count', summary: 'nodes that answer and are sealed', statistics: gauge },
  'replica-lag': { unit: 'duration', summary: 'the furthest replica behind', statistics: gauge },
  'write-rate': { unit: 'rate', summary: 'acknowledged writes a second', statistics: ['mean'] },
  'read-rate': { unit: 'rate', summary: 'answered reads a second', statistics: ['mean'] },
  'error-rate': {
    unit: 'ratio',
    summary: 'operations that were not answered, of all',
    statistics: ['mean'],
  },
  'write-latency': { unit: 'duration', summary: 'of acknowledged writes', statistics: spread },
  'read-latency': { unit: 'duration', summary: 'of answered reads', statistics: spread },
  'write-recovery': {
    unit: 'duration',
    summary: 'from a fault (or its heal) until every client writes again',
    statistics: spread,
    afterFault: true,
  },
  'replica-recovery': {
    unit: 'duration',
    summary: 'from a fault (or its heal) until every replica stays less than a second behind',
    statistics: spread,
    afterFault: true,
  },
} as const satisfies Record<string, Measure>;

export type MeasureName = keyof typeof measures;

/** A value with its unit, in milliseconds, as a ratio, a second, or plain. */
export function parseQuantity(unit: Unit, text: string): number | undefined {
  switch (unit) {
    case 'duration':
      return parseDurationMs(text);
    case 'ratio':
      return parseRatio(text);
    case 'rate': {
      const [, count] = /^(\d+(?:\.\d+)?)\/s$/.exec(text) ?? [];
      return count === undefined ? undefined : Number(count);
    }
    case 'count':
      return /^\d{1,12}$/.test(text) ? Number(text) : undefined;
  }
}

/** A value in words, with its unit: "3.04 s", "1.2%", "96/s". */
export function formatQuantity(unit: Unit, value: number): string {
  switch (unit) {
    case 'duration':
      return formatDuration(value);
    case 'ratio':
      return `${Number((value * 100).toFixed(value < 0.01 ? 2 : 1))}%`;
    case 'rate':
      return `${Number(value.toFixed(1))}/s`;
    case 'count':
      return String(Number(value.toFixed(2)));
  }
}

export const quantityExamples: Readonly<Record<Unit, string>> = {
  duration: '250ms or 1.5s',
  ratio: '5%',
  rate: '100/s',
  count: '3',
};
