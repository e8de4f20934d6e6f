import type { Entry } from '../history/history.ts';
import { type Assertion, holds } from '../scenario/assertion.ts';
import type { AssertionRecord, FaultRecord, Sample } from './record.ts';
import { statisticOf } from './statistics.ts';

/** What a measure is taken of: a stretch of a run. */
export interface Measured {
  readonly fromMs: number;
  readonly toMs: number;
  readonly samples: readonly Sample[];
  /** Of all workloads. */
  readonly entries: readonly Entry[];
  readonly faults: readonly FaultRecord[];
}

/** Measures, and says whether it holds; with nothing to measure it does not. */
export function judgeAssertion(assertion: Assertion, measured: Measured): AssertionRecord {
  const value = valueOf(assertion, measured);
  return {
    text: assertion.text,
    measure: assertion.measure,
    value: value === undefined || !Number.isFinite(value) ? null : value,
    holds: value !== undefined && holds(assertion, value),
  };
}

function valueOf(assertion: Assertion, all: Measured): number | undefined {
  const { fromMs, toMs } = all;
  const within = (at: number) => at >= fromMs && at <= toMs;
  const samples = all.samples.filter((sample) => within(sample.at));
  const ended = all.entries.filter((entry) => within(entry.returnedAt));
  const gauge = (pick: (sample: Sample) => number) =>
    statisticOf(assertion.statistic, samples.map(pick));
  const perSecond = (effect: Entry['effect']) =>
    (answered(ended, effect).length * 1_000) / Math.max(1, toMs - fromMs);
  const latency = (effect: Entry['effect']) =>
    statisticOf(
      assertion.statistic,
      answered(ended, effect).map((entry) => entry.returnedAt - entry.calledAt),
    );
  switch (assertion.measure) {
    case 'leaders':
      return gauge(countLeaders);
    case 'down-nodes':
      return gauge(({ observation }) => observation.nodes.filter((node) => !node.up).length);
    case 'sealed-nodes':
      return gauge(
        ({ observation }) => observation.nodes.filter((node) => node.seal === 'sealed').length,
      );
    case 'replica-lag':
      return gauge(({ observation }) =>
        Math.max(
          0,
          ...observation.nodes.filter((node) => node.role === 'replica').map((node) => node.lagMs),
        ),
      );
    case 'write-rate':
      return perSecond('write');
    case 'read-rate':
      return perSecond('read');
    case 'write-latency':
      return latency('write');
    case 'read-latency':
      return latency('read');
    case 'error-rate':
      return ended.length === 0
        ? undefined
        : ended.filter((entry) => entry.outcome !== 'ok').length / ended.length;
    case 'write-recovery':
      return statisticOf(assertion.statistic, recoveries(assertion, all.faults));
  }
}

const answered = (entries: readonly Entry[], effect: Entry['effect']) =>
  entries.filter((entry) => entry.effect === effect && entry.outcome === 'ok');

function countLeaders({ observation }: Sample): number {
  // One that was cut off may believe in its old term for a while, and can do nothing in it.
  const leaders = observation.nodes.filter((node) => node.up && node.role === 'leader');
  const newest = Math.max(0, ...leaders.map((node) => node.term));
  return leaders.filter((node) => node.term === newest).length;
}

/** A client that never wrote again took for ever. */
function recoveries({ after }: Assertion, faults: readonly FaultRecord[]): readonly number[] {
  return faults
    .filter((fault) => after === undefined || after.fault === 'any' || after.fault === fault.fault)
    .flatMap(({ recovery }) => {
      const found = after?.what === 'heal' ? recovery?.heal : recovery?.injection;
      return found === undefined ? [] : [found ?? Number.POSITIVE_INFINITY];
    });
}
