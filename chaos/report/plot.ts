import { html, type Markup, type Part } from './markup.ts';
import type { Scale } from './scale.ts';
import { type Bucket, percentAt, type Timeline } from './timeline.ts';
import { momentWords } from './words.ts';

const HEIGHT = 110;
/** Room under the plot for the times. */
export const AXIS_HEIGHT = 18;

/** One curve: told from the others by its dash as well as by its colour. */
export interface Curve {
  readonly name: string;
  readonly look: 'first' | 'second' | 'third' | 'fourth';
  readonly value: (bucket: Bucket) => number | undefined;
  /** Filled down to the axis. */
  readonly filled?: boolean;
}

export interface PlotParts {
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
  /** Made of all values that there are. */
  readonly scale: (min: number, max: number) => Scale;
  readonly words: (value: number) => string;
  readonly note?: string;
}

/** Curves over time, over the bands of the faults. */
export function plot(timeline: Timeline, parts: PlotParts): Markup {
  const { curves, words, title } = parts;
  const curvesOf = curves.map((curve) => ({ curve, values: timeline.buckets.map(curve.value) }));
  const values = curvesOf.flatMap((one) => one.values.filter((value) => value !== undefined));
  const min = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const max = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const isEmpty = values.length === 0;
  const scale = parts.scale(isEmpty ? 1 : min, isEmpty ? 1 : max);
  const yAt = (value: number) => (1 - scale.at(value)) * (HEIGHT - 14) + 8;
  const summary = isEmpty ? 'nothing was measured' : `from ${words(min)} to ${words(max)}`;
  const labels = scale.ticks.map(
    (tick) => html`<text x="100%" dx="-6" y="${yAt(tick)}" dy="4">${words(tick)}</text>`,
  );
  const lines = scale.ticks.map(
    (tick) => html`<line class="grid" x1="0" x2="100%" y1="${yAt(tick)}" y2="${yAt(tick)}"/>`,
  );
  const paths = curvesOf.map(({ curve, values: all }) => path(timeline, curve, all, yAt));
  return panel({
    timeline,
    title,
    about: `${title}, ${parts.unit}: ${summary}`,
    height: HEIGHT,
    key: html`<span class="unit">${parts.unit}</span>${curves.map(keyOf)}`,
    labels,
    note: isEmpty ? 'Nothing was measured.' : parts.note,
    area: html`${lines}<svg x="0" y="0" width="100%" height="${HEIGHT}" viewBox="0 0 1000 ${HEIGHT}" preserveAspectRatio="none">${paths}</svg>`,
  });
}

interface PanelParts {
  readonly timeline: Timeline;
  readonly title: string;
  /** What it shows, for those who cannot see it. */
  readonly about: string;
  readonly height: number;
  readonly key: Part;
  /** Left of the plot. */
  readonly labels: Part;
  readonly area: Part;
  readonly note?: string | undefined;
  /** Without the bands: it shows the faults itself. */
  readonly isBare?: boolean;
}

/** A titled picture over the time of the run. Its bands and its cursor are those of every panel. */
export function panel({ timeline, title, about, height, ...parts }: PanelParts): Markup {
  const full = height + AXIS_HEIGHT;
  const times = timeline.scale.ticks.map((tick) => {
    const x = percentAt(timeline, tick);
    const anchor = x < 3 ? 'start' : x > 96 ? 'end' : 'middle';
    return html`<line class="grid" x1="${x}%" x2="${x}%" y1="0" y2="${height}"/><text class="time ${anchor}" x="${x}%" y="${height + 13}">${momentWords(tick)}</text>`;
  });
  return html`<figure class="panel"><figcaption><h3>${title}</h3>${parts.key}</figcaption>
<div class="plot"><svg class="labels" height="${full}" aria-hidden="true">${parts.labels}</svg><svg class="area" height="${full}" role="img" aria-label="${about}">${parts.isBare === true ? '' : html`<svg x="0" y="0" width="100%" height="${height}"><use href="#bands" width="100%" height="100%"/></svg>`}${times}${parts.area}<line class="cursor" x1="0" x2="0" y1="0" y2="${height}"/></svg></div>${parts.note === undefined ? '' : html`<p class="note">${parts.note}</p>`}</figure>
`;
}

/** A short piece of a curve and its name. */
function keyOf({ name, look }: Curve): Markup {
  return html`<span class="key"><svg width="26" height="10" aria-hidden="true"><line class="curve ${look}" x1="1" x2="25" y1="5" y2="5"/></svg> ${name}</span>`;
}

function path(
  timeline: Timeline,
  { look, filled }: Curve,
  values: readonly (number | undefined)[],
  yAt: (value: number) => number,
): Markup {
  let line = '';
  let area = '';
  let from: string | undefined;
  const bottom = HEIGHT - 6;
  for (const [at, value] of values.entries()) {
    const bucket = timeline.buckets[at];
    if (value === undefined || bucket === undefined) {
      from = undefined;
      continue;
    }
    const x = (percentAt(timeline, bucket.at) * 10).toFixed(1);
    const y = yAt(value).toFixed(1);
    // A lone point is drawn as well: a line of almost no length with round ends.
    line += from === undefined ? `M${x} ${y}h.1` : `L${x} ${y}`;
    if (filled === true && from !== undefined)
      area += `M${from}L${x} ${y}V${bottom}H${from.split(' ')[0] ?? ''}Z`;
    from = `${x} ${y}`;
  }
  const fill = filled === true ? html`<path class="fill ${look}" d="${area}"/>` : '';
  return html`${fill}<path class="curve ${look}" d="${line}"/>`;
}
