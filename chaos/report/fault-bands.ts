import type { FaultRecord } from '../runner/record.ts';
import { formatDuration } from '../scenario/units.ts';
import { html, type Markup } from './markup.ts';
import { panel } from './plot.ts';
import { roomFor, stretch, type Timeline } from './timeline.ts';
import { momentWords, plural, shortened } from './words.ts';

/** More than anyone can tell apart; the record has them all. */
export const FAULTS_SHOWN_MAX = 400;
/** Faults of one kind that go on at once are shown below one another, so many deep. */
const LANES_MAX = 6;
/** Width that a bar's number needs, in per cent of a narrow plot. */
const NUMBER_SHARE = 3.2;
const LABEL_HEIGHT = 15;
const BAR_HEIGHT = 15;
const LANE_HEIGHT = 22;
const LOOKS = 6;

/** A fault with its number in this report: the same in the plots and in the tables. */
export interface NumberedFault extends FaultRecord {
  readonly number: number;
  /** Of its kind: a colour and a pattern. */
  readonly look: number;
}

/** In order of time. Each kind has a look of its own, while there are looks. */
export function numberedFaults(faults: readonly FaultRecord[]): readonly NumberedFault[] {
  const kinds = [...new Set(faults.map((one) => one.fault))];
  return faults
    .toSorted((a, b) => a.injectedAt - b.injectedAt)
    .map((fault, at) => ({
      ...fault,
      number: at + 1,
      look: kinds.indexOf(fault.fault) % LOOKS,
    }));
}

/** When its effect was over: at once, for a fault that does not last. */
const endOf = (fault: FaultRecord) => fault.healthyAt ?? fault.healedAt ?? fault.effectiveAt;

/** The patterns, and the bands that every plot has behind its curves: written once. */
export function bandDefinitions(timeline: Timeline, faults: readonly NumberedFault[]): Markup {
  const strokes = ['M0 8L8 0', 'M0 0L8 8', 'M0 4H8', 'M4 0V8', 'M0 8L8 0M0 0L8 8', 'M2 4h2M6 0h2'];
  const patterns = strokes.map(
    (d, look) =>
      html`<pattern id="pattern-${look}" width="8" height="8" patternUnits="userSpaceOnUse"><path class="hatch look-${look}" d="${d}"/></pattern>`,
  );
  const bands = faults.slice(0, FAULTS_SHOWN_MAX).map((fault) => {
    const { x, width } = stretch(timeline, fault.injectedAt, endOf(fault));
    return html`<g class="band" data-fault="${fault.number}"><title>${titleOf(fault)}</title><rect class="tint look-${fault.look}" x="${x}" width="${width}" y="0" height="100%"/><rect fill="url(#pattern-${fault.look})" x="${x}" width="${width}" y="0" height="100%"/><line class="edge look-${fault.look}" x1="${x}" x2="${x}" y1="0" y2="100%"/></g>
`;
  });
  return html`<svg class="definitions" width="0" height="0" aria-hidden="true"><defs>${patterns}<symbol id="bands">${bands}</symbol></defs></svg>
`;
}

/** Every fault as a bar in the row of its kind, with the recovery that followed below it. */
export function faultPanel(timeline: Timeline, faults: readonly NumberedFault[]): Markup {
  const rows: Markup[] = [];
  let y = 0;
  const shown = faults.slice(0, FAULTS_SHOWN_MAX);
  for (const kind of new Set(shown.map((one) => one.fault))) {
    const some = shown.filter((one) => one.fault === kind);
    rows.push(html`<text class="row" x="4" y="${y + 11}">${shortened(kind, 40)}</text>`);
    y += LABEL_HEIGHT;
    const lanes = lanesOf(timeline, some);
    for (const { fault, lane } of lanes) {
      // What comes after the next fault is that one's.
      const next = shown.find((one) => one.injectedAt > fault.injectedAt)?.injectedAt;
      rows.push(bar(timeline, fault, next ?? timeline.toMs, y + lane * LANE_HEIGHT));
    }
    y += (Math.max(0, ...lanes.map((one) => one.lane)) + 1) * LANE_HEIGHT + 2;
  }
  const left = faults.length - shown.length;
  return panel({
    timeline,
    title: 'Faults',
    about: `${plural(faults.length, 'fault')}: ${[...new Set(shown.map((one) => one.fault))].join(', ')}`,
    height: Math.max(24, y),
    key: html`<span class="key"><svg width="26" height="10" aria-hidden="true"><line class="recovery" x1="1" x2="25" y1="5" y2="5"/></svg> until every client writes again</span>`,
    labels: undefined,
    area: rows,
    isBare: true,
    note:
      faults.length === 0
        ? 'No fault was done.'
        : left > 0
          ? `${plural(left, 'later fault')} are in run.json.`
          : undefined,
  });
}

interface Placed {
  readonly fault: NumberedFault;
  readonly lane: number;
}

/** Each fault in the first lane in which nothing is in its way. */
function lanesOf(timeline: Timeline, faults: readonly NumberedFault[]): readonly Placed[] {
  const ends: number[] = [];
  return faults.map((fault) => {
    const from = timeline.scale.at(fault.injectedAt) * 100;
    const to = Math.max(timeline.scale.at(endOf(fault)) * 100, from + NUMBER_SHARE);
    const free = ends.findIndex((end) => end <= from);
    const lane = free === -1 ? Math.min(ends.length, LANES_MAX - 1) : free;
    ends[lane] = to;
    return { fault, lane };
  });
}

function bar(timeline: Timeline, fault: NumberedFault, until: number, y: number): Markup {
  const { x, width, share } = stretch(timeline, fault.injectedAt, endOf(fault));
  const { recovery, injectedAt, healedAt } = fault;
  const nodes = shortened(fault.nodes.join(', '), 60);
  return html`<g class="fault"><title>${titleOf(fault)}</title><rect class="solid look-${fault.look}" x="${x}" y="${y}" width="${width}" height="${BAR_HEIGHT}"/><rect fill="url(#pattern-${fault.look})" x="${x}" y="${y}" width="${width}" height="${BAR_HEIGHT}"/><line class="edge look-${fault.look}" x1="${x}" x2="${x}" y1="${y}" y2="${y + BAR_HEIGHT}"/><text class="name" x="${x}" dx="5" y="${y + 11.5}"><tspan class="number">${fault.number}</tspan><tspan class="${roomFor(nodes, share - NUMBER_SHARE)}"> ${nodes}</tspan></text>${recoveryLine(timeline, [injectedAt, until], recovery?.injection, y)}${healedAt === undefined ? '' : recoveryLine(timeline, [healedAt, until], recovery?.heal, y)}</g>
`;
}

function recoveryLine(
  timeline: Timeline,
  [from, until]: readonly [number, number],
  recovery: number | null | undefined,
  barY: number,
): Markup | undefined {
  if (recovery === undefined) return undefined;
  const { x, width } = stretch(timeline, from, recovery === null ? until : from + recovery);
  const kind = recovery === null ? 'recovery never' : 'recovery';
  return html`<rect class="${kind}" x="${x}" width="${width}" y="${barY + BAR_HEIGHT + 1.5}" height="3"/>`;
}

function titleOf(fault: NumberedFault): string {
  const { number, fault: kind, nodes, injectedAt, error } = fault;
  const lasted = formatDuration(endOf(fault) - injectedAt);
  const went = error === undefined ? '' : `; it went wrong: ${shortened(error, 300)}`;
  return `${number}. ${kind} ${nodes.join(', ')} at ${momentWords(injectedAt)} for ${lasted}${went}`;
}
