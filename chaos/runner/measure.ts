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

/** A replica that lags by this much is not fresh. */
const BEHIND_MS = 1_000;

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
    case 'replica-recovery':
      return statisticOf(assertion.statistic, replicaRecoveries(assertion, all));
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

const isMeant =
  ({ after }: Assertion) =>
  (fault: FaultRecord) =>
    after === undefined || after.fault === 'any' || after.fault === fault.fault;

/** One that never came back took for ever. A fault's time is over where the next one begins. */
function replicaRecoveries(assertion: Assertion, all: Measured): readonly number[] {
  return all.faults.filter(isMeant(assertion)).flatMap((fault) => {
    const from = assertion.after?.what === 'heal' ? fault.healedAt : fault.injectedAt;
    if (from === undefined) return [];
    const next = all.faults.map((one) => one.injectedAt).filter((at) => at > from);
    const until = Math.min(all.toMs, ...next);
    const samples = all.samples.filter(({ at }) => at >= from && at < until);
    const lastBehind = samples.findLastIndex(isAReplicaBehind(all.samples));
    const fresh = samples[lastBehind + 1];
    return [fresh === undefined ? Number.POSITIVE_INFINITY : fresh.at - from];
  });
}

/** Whoever was ever seen as a replica is one: also while it does not answer, and then it is behind. */
function isAReplicaBehind(samples: readonly Sample[]): (sample: Sample) => boolean {
  const seen = samples.flatMap(({ observation }) => observation.nodes);
  const names = new Set(seen.filter(({ role }) => role === 'replica').map(({ name }) => name));
  return ({ observation }) =>
    observation.nodes.some(
      ({ name, role, lagMs }) => names.has(name) && (role !== 'replica' || lagMs >= BEHIND_MS),
    );
}

/** A client that never wrote again took for ever. */
function recoveries(assertion: Assertion, faults: readonly FaultRecord[]): readonly number[] {
  const { after } = assertion;
  return faults.filter(isMeant(assertion)).flatMap(({ recovery }) => {
    const found = after?.what === 'heal' ? recovery?.heal : recovery?.injection;
    return found === undefined ? [] : [found ?? Number.POSITIVE_INFINITY];
  });
}
