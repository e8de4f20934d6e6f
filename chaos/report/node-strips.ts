import type { NodeObservation } from '../grounds/observation.ts';
import type { RunRecord } from '../runner/record.ts';
import { html, type Markup } from './markup.ts';
import { panel } from './plot.ts';
import { type Bucket, isAnswered, roomFor, runsOf, stretch, type Timeline } from './timeline.ts';
import { shortened } from './words.ts';

const ROW = 19;
const THICK = 14;

/** How a state looks: a height and a pattern, so that colour is not needed to tell it. */
interface StateLook {
  readonly look: 'leader' | 'quiet' | 'busy' | 'bad' | 'gone';
  readonly text: string;
}

const looks: readonly StateLook['look'][] = ['gone', 'bad', 'leader', 'busy', 'quiet'];

/** Who led in which term, and who was away. */
export function rolePanel(timeline: Timeline, record: RunRecord): Markup {
  const terms = runsOf(
    timeline,
    ({ samples }) => samples.findLast(isAnswered)?.observation.term,
  ).filter(({ state }) => state !== undefined);
  const termRow = terms.map(({ from, to, state }, at) => {
    const { x, width, share } = stretch(timeline, from, to);
    const words = `term ${state}`;
    return html`<rect class="term ${at % 2 === 0 ? 'even' : 'odd'}" x="${x}" width="${width}" height="${THICK}" y="1"><title>${words}</title></rect><text class="name ${roomFor(words, share)}" x="${x}" dx="4" y="12">${words}</text>`;
  });
  return strips(timeline, record, {
    title: 'Leader and term',
    key: [
      ['leader', 'leader'],
      ['busy', 'standing for election'],
      ['quiet', 'follower or replica'],
      ['gone', 'no answer'],
    ],
    first: { label: 'term', row: termRow },
    stateOf: roleLook,
  });
}

/** The seal of every node. */
export function sealPanel(timeline: Timeline, record: RunRecord): Markup {
  return strips(timeline, record, {
    title: 'Seal',
    key: [
      ['quiet', 'unsealed'],
      ['bad', 'sealed'],
      ['busy', 'something else'],
      ['gone', 'no answer'],
    ],
    stateOf: sealLook,
  });
}

function roleLook(node: NodeObservation): StateLook {
  if (!node.up) return { look: 'gone', text: 'no answer' };
  if (node.role === 'leader') return { look: 'leader', text: `leader, term ${node.term}` };
  const isQuiet = ['follower', 'replica', 'learner'].includes(node.role);
  return { look: isQuiet ? 'quiet' : 'busy', text: node.role };
}

function sealLook(node: NodeObservation): StateLook {
  if (!node.up || node.seal === 'unknown') return { look: 'gone', text: 'no answer' };
  if (node.seal === 'unsealed') return { look: 'quiet', text: 'unsealed' };
  return { look: node.seal === 'sealed' ? 'bad' : 'busy', text: node.seal };
}

interface StripParts {
  readonly title: string;
  readonly key: readonly (readonly [StateLook['look'], string])[];
  readonly first?: { readonly label: string; readonly row: readonly Markup[] };
  readonly stateOf: (node: NodeObservation) => StateLook;
}

function strips(timeline: Timeline, { cluster }: RunRecord, parts: StripParts): Markup {
  const names = cluster.nodes.map((node) => node.name);
  const above = parts.first === undefined ? 0 : ROW;
  const labels = [...(parts.first === undefined ? [] : [parts.first.label]), ...names].map(
    (name, row) =>
      html`<text x="100%" dx="-6" y="${row * ROW + 12}"><title>${name}</title>${shortened(name, 12)}</text>`,
  );
  const rows = names.map((name, row) => strip(timeline, name, above + row * ROW, parts.stateOf));
  return panel({
    timeline,
    title: parts.title,
    about: `${parts.title} of ${names.join(', ')}`,
    height: above + names.length * ROW + 2,
    key: parts.key.map(
      ([look, text]) =>
        html`<span class="key"><svg width="26" height="${THICK}" aria-hidden="true">${cell(look, '0', '100%', 0)}</svg> ${text}</span>`,
    ),
    labels,
    area: [parts.first?.row ?? [], ...rows],
  });
}

function strip(
  timeline: Timeline,
  name: string,
  y: number,
  stateOf: StripParts['stateOf'],
): readonly Markup[] {
  const states = new Map<string, StateLook>();
  const runs = runsOf(timeline, (bucket) => {
    const state = worst(bucket, name, stateOf);
    if (state === undefined) return undefined;
    states.set(state.text, state);
    return state.text;
  });
  return runs.flatMap(({ from, to, state }) => {
    const found = state === undefined ? undefined : states.get(state);
    if (found === undefined) return [];
    const { x, width } = stretch(timeline, from, to);
    const title = html`<title>${name}: ${found.text}</title>`;
    return html`<g data-node="${name}" data-state="${found.text}">${title}${cell(found.look, x, width, y + 1)}</g>
`;
  });
}

/** What was most unusual in a bucket: of several samples, an outage must not be lost. */
function worst(bucket: Bucket, name: string, stateOf: StripParts['stateOf']) {
  const states = bucket.samples.flatMap(({ observation }) => {
    const node = observation.nodes.find((one) => one.name === name);
    return node === undefined ? [] : [stateOf(node)];
  });
  return states.toSorted((a, b) => looks.indexOf(a.look) - looks.indexOf(b.look))[0];
}

function cell(look: StateLook['look'], x: string, width: string, y: number): Markup {
  const isThin = look === 'quiet';
  const height = isThin ? 4 : THICK;
  const top = y + (THICK - height) / 2;
  const rect = html`<rect class="state ${look}" x="${x}" width="${width}" y="${top}" height="${height}"/>`;
  const pattern = { leader: '', quiet: '', busy: 'cell-busy', bad: 'cell-bad', gone: 'cell-gone' };
  if (pattern[look] === '') return rect;
  return html`${rect}<rect fill="url(#${pattern[look]})" x="${x}" width="${width}" y="${top}" height="${height}"/>`;
}

/** Patterns of the states. */
export const stateDefinitions = html`<svg class="definitions" width="0" height="0" aria-hidden="true"><defs><pattern id="cell-busy" width="6" height="6" patternUnits="userSpaceOnUse"><path class="mark busy" d="M3 0V6"/></pattern><pattern id="cell-bad" width="6" height="6" patternUnits="userSpaceOnUse"><path class="mark bad" d="M0 6L6 0M0 0L6 6"/></pattern><pattern id="cell-gone" width="6" height="6" patternUnits="userSpaceOnUse"><path class="mark gone" d="M0 6L6 0"/></pattern></defs></svg>
`;
