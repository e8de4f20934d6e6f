import type { OperationStats, RunRecord } from '../runner/record.ts';
import { formatQuantity } from '../scenario/measures.ts';
import { formatDuration } from '../scenario/units.ts';
import { bandDefinitions, faultPanel, type NumberedFault } from './fault-bands.ts';
import { html, type Markup } from './markup.ts';
import { rolePanel, sealPanel, stateDefinitions } from './node-strips.ts';
import { type Curve, panel, plot } from './plot.ts';
import { linearScale, logScale } from './scale.ts';
import { type Bucket, isAnswered, roomFor, stretch, type Timeline } from './timeline.ts';
import { countWords } from './words.ts';

/** The whole course of a run: phases and faults, what clients saw, and what the nodes said. */
export function course(
  timeline: Timeline,
  record: RunRecord,
  faults: readonly NumberedFault[],
): Markup {
  return html`${bandDefinitions(timeline, faults)}${stateDefinitions}${phasePanel(timeline, record)}
${faultPanel(timeline, faults)}
${throughput(timeline)}${errors(timeline)}${latency(timeline, 'writes')}${latency(timeline, 'reads')}
${rolePanel(timeline, record)}${commitIndex(timeline)}${lag(timeline, record)}${sealPanel(timeline, record)}`;
}

const phaseWords: Readonly<Record<string, string>> = {
  steady: 'steady state',
  timeline: 'faults',
  settle: 'settling',
  check: 'checks',
};

function phasePanel(timeline: Timeline, { phases }: RunRecord): Markup {
  const rows = phases
    .filter(({ phase, from }) => phase !== 'start' && from < timeline.toMs)
    .map(({ phase, from, to }, at) => {
      const { x, width, share } = stretch(timeline, from, to);
      const words = phaseWords[phase] ?? phase;
      return html`<rect class="term ${at % 2 === 0 ? 'even' : 'odd'}" x="${x}" width="${width}" y="2" height="18"><title>${words}</title></rect><text class="name ${roomFor(words, share)}" x="${x}" dx="5" y="15">${words}</text>`;
    });
  const about = phases.map((one) => one.phase).join(', ');
  return panel({
    timeline,
    title: 'Phases',
    about: `Phases: ${about}`,
    height: 22,
    key: undefined,
    labels: undefined,
    area: rows,
    isBare: true,
  });
}

const mean = (values: readonly number[]) =>
  values.length === 0 ? undefined : values.reduce((sum, one) => sum + one, 0) / values.length;
const largest = (values: readonly number[]) =>
  values.length === 0 ? undefined : Math.max(...values);
const smallest = (values: readonly number[]) =>
  values.length === 0 ? undefined : Math.min(...values);

function throughput(timeline: Timeline): Markup {
  const rate = (of: 'writes' | 'reads') => (bucket: Bucket) =>
    mean(bucket.samples.map((sample) => sample[of].perSecond));
  return plot(timeline, {
    title: 'Throughput',
    unit: 'answered operations a second',
    curves: [
      { name: 'writes', look: 'first', value: rate('writes'), filled: true },
      { name: 'reads', look: 'second', value: rate('reads') },
    ],
    scale: (_, max) => linearScale(0, max),
    words: (value) => countWords(Number(value.toFixed(1))),
  });
}

function errors(timeline: Timeline): Markup {
  const share = ({ samples }: Bucket) => {
    const all = samples.flatMap(({ writes, reads }) => [writes, reads]);
    const failed = all.reduce((sum, one) => sum + one.failed, 0);
    const total = all.reduce((sum, one) => sum + one.failed + one.ok, 0);
    return total === 0 ? undefined : failed / total;
  };
  return plot(timeline, {
    title: 'Error rate',
    unit: 'of all operations that ended',
    curves: [{ name: 'not answered', look: 'fourth', value: share, filled: true }],
    scale: (_, max) => linearScale(0, Math.max(max, 0.01)),
    words: (value) => formatQuantity('ratio', value),
    note: 'Where nothing ended, there is no rate: the curve has a gap.',
  });
}

function latency(timeline: Timeline, of: 'writes' | 'reads'): Markup {
  const quantile =
    (pick: (latency: NonNullable<OperationStats['latency']>) => number) =>
    ({ samples }: Bucket) =>
      largest(samples.flatMap((one) => (one[of].latency ? [pick(one[of].latency)] : [])));
  const curves: readonly Curve[] = [
    { name: 'p99', look: 'third', value: quantile((one) => one.p99) },
    { name: 'p50', look: 'first', value: quantile((one) => one.median) },
  ];
  return plot(timeline, {
    title: of === 'writes' ? 'Latency of writes' : 'Latency of reads',
    unit: 'each mark ten times the one below',
    curves,
    scale: (min, max) => logScale(Math.max(min, 0.1), max),
    words: formatDuration,
  });
}

function commitIndex(timeline: Timeline): Markup {
  const commit = ({ samples }: Bucket) =>
    largest(samples.filter(isAnswered).map((one) => one.observation.commit));
  const applied = ({ samples }: Bucket) =>
    smallest(
      samples.flatMap(({ observation }) =>
        observation.nodes.filter((node) => node.up).map((node) => node.applied),
      ),
    );
  return plot(timeline, {
    title: 'Commit index',
    unit: 'entries of the log',
    curves: [
      { name: 'committed', look: 'first', value: commit },
      { name: 'applied by the slowest node that answers', look: 'second', value: applied },
    ],
    scale: (min, max) => linearScale(min, max),
    words: countWords,
  });
}

function lag(timeline: Timeline, { cluster }: RunRecord): Markup {
  const replicas = cluster.nodes.filter((node) => node.kind === 'replica');
  const regions = [...new Set(replicas.map((node) => node.region))];
  if (regions.length === 0)
    return html`<figure class="panel"><figcaption><h3>Replication lag</h3></figcaption><p class="note">This cluster has no read replicas.</p></figure>
`;
  const curveLooks = ['first', 'second', 'third', 'fourth'] as const;
  const curves = regions.map((region, at): Curve => {
    const names = new Set(replicas.filter((one) => one.region === region).map((one) => one.name));
    const value = ({ samples }: Bucket) =>
      largest(
        samples.flatMap(({ observation }) =>
          observation.nodes.filter((one) => one.up && names.has(one.name)).map((one) => one.lagMs),
        ),
      );
    return { name: region, look: curveLooks[at % curveLooks.length] ?? 'first', value };
  });
  return plot(timeline, {
    title: 'Replication lag',
    unit: 'of the slowest replica of each region',
    curves,
    scale: (_, max) => linearScale(0, Math.max(max, 1)),
    words: formatDuration,
  });
}
