import { nearestWord } from '../../src/server/config/index.ts';
import {
  type Measure,
  type MeasureName,
  measures,
  parseQuantity,
  quantityExamples,
  type Statistic,
  statistics,
} from './measures.ts';
import { parseDurationMs } from './units.ts';

export const comparisons = ['<', '<=', '>', '>=', '=='] as const;
export type Comparison = (typeof comparisons)[number];

/** "write-recovery after kill median < 1.5s", read. */
export interface Assertion {
  readonly text: string;
  readonly measure: MeasureName;
  readonly statistic: Statistic;
  readonly comparison: Comparison;
  /** In milliseconds, a ratio, a second, or plain, as the measure's unit is. */
  readonly bound: number;
  /** Only of what followed this fault ("any": every fault), or its heal. */
  readonly after?: { readonly fault: string; readonly what: 'injection' | 'heal' };
  /** An abort condition must hold this long. */
  readonly forMs?: number;
}

export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: string };

const RECOVERIES = Object.entries<Measure>(measures)
  .filter(([, { afterFault }]) => afterFault === true)
  .map(([name]) => name)
  .join(' and ');

const FORM = 'MEASURE [after [heal of] FAULT] [STATISTIC] < VALUE [for DURATION]';
const shape =
  /^(?<measure>[a-z-]+)(?: after (?<heal>heal of )?(?<fault>[a-z-]+))?(?: (?<statistic>[a-z0-9]+))? (?<comparison><=|>=|==|<|>) (?<bound>\S+)(?: for (?<duration>\S+))?$/;

/** Reads one sentence about a measure; `faults` are the names that "after" may be followed by. */
export function parseAssertion(text: string, faults: readonly string[]): Parsed<Assertion> {
  const clean = text.trim().replace(/\s+/g, ' ');
  const parts = shape.exec(clean)?.groups;
  if (parts === undefined) return problem(`"${text}" should be written ${FORM}`);
  const name = parts['measure'] ?? '';
  if (!isMeasure(name)) return unknown('measure', name, Object.keys(measures));
  const measure: Measure = measures[name];
  const statistic = parts['statistic'] ?? measure.statistics[0] ?? 'last';
  if (!isStatistic(statistic) || !measure.statistics.includes(statistic))
    return unknown(`statistic of ${name}`, statistic, measure.statistics);
  const { fault, heal, duration } = parts;
  if (fault !== undefined && measure.afterFault !== true)
    return problem(`${name} cannot be followed by "after": only ${RECOVERIES} can`);
  if (fault !== undefined && fault !== 'any' && !faults.includes(fault))
    return unknown('fault', fault, [...faults, 'any']);
  const bound = parseQuantity(measure.unit, parts['bound'] ?? '');
  if (bound === undefined) {
    const example = quantityExamples[measure.unit];
    return problem(`"${parts['bound']}" is no value of ${name}: write it like ${example}`);
  }
  const forMs = duration === undefined ? undefined : parseDurationMs(duration);
  if (duration !== undefined && forMs === undefined)
    return problem(`"${duration}" should be written like 250ms, 3s or 1m30s`);
  return {
    ok: true,
    value: {
      text: clean,
      measure: name,
      statistic,
      comparison: parts['comparison'] as Comparison,
      bound,
      ...(fault === undefined
        ? {}
        : { after: { fault, what: heal === undefined ? 'injection' : 'heal' } }),
      ...(forMs === undefined ? {} : { forMs }),
    },
  };
}

/** Whether `value` is on the right side of the bound. */
export function holds(assertion: Pick<Assertion, 'comparison' | 'bound'>, value: number): boolean {
  const { bound } = assertion;
  switch (assertion.comparison) {
    case '<':
      return value < bound;
    case '<=':
      return value <= bound;
    case '>':
      return value > bound;
    case '>=':
      return value >= bound;
    case '==':
      return value === bound;
  }
}

/** "unknown fault "kil": did you mean kill?", or the whole list when nothing is near. */
export function unknownWord(what: string, word: string, known: readonly string[]): string {
  const near = nearestWord(word, known);
  const help = near === undefined ? `choose ${known.join(', ')}` : `did you mean ${near}?`;
  return `unknown ${what} "${word}": ${help}`;
}

const problem = (text: string) => ({ ok: false, problem: text }) as const;
const unknown = (what: string, word: string, known: readonly string[]) =>
  problem(unknownWord(what, word, known));
const isMeasure = (name: string): name is MeasureName => Object.hasOwn(measures, name);
const isStatistic = (name: string): name is Statistic =>
  (statistics as readonly string[]).includes(name);
