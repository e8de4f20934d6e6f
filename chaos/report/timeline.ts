import type { RunRecord, Sample } from '../runner/record.ts';
import { type Scale, timeScale } from './scale.ts';

/** So many points are drawn of any curve: a screen shows no more, and the page stays small. */
const BUCKETS_MAX = 480;

/** A stretch of a run in which everything is one point. */
export interface Bucket {
  readonly at: number;
  readonly samples: readonly Sample[];
}

/** The part of a run that has a picture: while its clients worked. */
export interface Timeline {
  readonly fromMs: number;
  readonly toMs: number;
  readonly scale: Scale;
  readonly buckets: readonly Bucket[];
}

export function timelineOf({ phases, samples, faults }: RunRecord): Timeline {
  const shown = phases.filter(({ phase }) => phase !== 'start' && phase !== 'check');
  const first = samples[0]?.at ?? 0;
  const fromMs = Math.min(...shown.map((one) => one.from), first);
  const toMs = Math.max(
    fromMs + 1,
    samples.at(-1)?.at ?? 0,
    ...shown.map((one) => one.to),
    ...faults.map((one) => one.healthyAt ?? one.effectiveAt),
  );
  const each = Math.max(1, Math.ceil(samples.length / BUCKETS_MAX));
  const buckets: Bucket[] = [];
  for (let at = 0; at < samples.length; at += each) {
    const some = samples.slice(at, at + each);
    buckets.push({ at: some.at(-1)?.at ?? 0, samples: some });
  }
  return { fromMs, toMs, scale: timeScale(fromMs, toMs), buckets };
}

/** Some node said something: without that, the term and the commit index are not zero but unknown. */
export const isAnswered = ({ observation }: Sample) => observation.nodes.some((node) => node.up);

/** A place on the time axis, in per cent of its length. */
export function percentAt({ scale }: Timeline, ms: number): number {
  return Number((scale.at(ms) * 100).toFixed(3));
}

/** A stretch on the time axis; as SVG attributes. */
export function stretch(timeline: Timeline, fromMs: number, toMs: number) {
  const x = percentAt(timeline, fromMs);
  const width = Math.max(0, Number((percentAt(timeline, toMs) - x).toFixed(3)));
  return { x: `${x}%`, width: `${width}%`, share: width };
}

/** Whether words fit into a share of the axis: the class that hides them where they do not. */
export function roomFor(words: string, share: number): 'roomy' | 'tight' | 'crowded' {
  // A letter is about so much, in per cent, of a phone's plot and of a desk's.
  if (share >= words.length * 2.3 + 2) return 'roomy';
  return share >= words.length * 0.85 + 1 ? 'tight' : 'crowded';
}

/** Neighbouring moments in the same state, as one. */
export function runsOf<State>(
  timeline: Timeline,
  stateAt: (bucket: Bucket) => State,
): readonly { readonly from: number; readonly to: number; readonly state: State }[] {
  const runs: { from: number; to: number; state: State }[] = [];
  const { buckets, toMs } = timeline;
  for (const [at, bucket] of buckets.entries()) {
    const to = buckets[at + 1]?.at ?? toMs;
    const state = stateAt(bucket);
    const last = runs.at(-1);
    if (last?.state === state) last.to = to;
    else runs.push({ from: bucket.at, to, state });
  }
  return runs;
}
