import type { Entry } from '../history/history.ts';
import { table } from './findings.ts';
import { OperationWords, relatedTo } from './history-words.ts';
import { html, type Markup } from './markup.ts';
import { momentWords, plural } from './words.ts';

const DRAWN_MAX = 12;
const LISTED_MAX = 300;
const LABEL_WIDTH = 70;
const LANE_HEIGHT = 64;
const TOP = 26;
const BAR = 12;
const EVENT_WIDTH_MIN = 18;
/** Few operations are spread over this width. */
const WIDTH_MIN = 700;
const CLAIM = '✗ from here on no order explains all answers';
const CLAIM_WIDTH = 330;
const LETTER_WIDTH = 6.2;
const WORDS_MAX = 34;

/** The operations of a violation, as a picture and as a list; `impossible` is an index in them. */
export function historyDiagram(history: readonly Entry[], impossible: number | undefined): Markup {
  const culprit = impossible === undefined ? undefined : history[impossible];
  const ordered = history.toSorted((a, b) => a.calledAt - b.calledAt);
  const numbers = new Map(ordered.map((entry, at) => [entry, at + 1]));
  const words = new OperationWords(ordered);
  const drawn = chooseDrawn(ordered, culprit);
  const common = words.common();
  const left = ordered.length - drawn.length;
  return html`<div class="history">${common === '' ? '' : html`<p>All of them are about <strong>${common}</strong>.</p>`}
<div class="wide">${picture(drawn, { culprit, numbers, words })}</div>
<p class="note">Each client is a row; a bar is the time between an operation’s call and its answer, and its effect lay somewhere in it. A bar that stays open had no answer: it may take effect at any later time. Places follow the order of calls and answers, not their distance.${left > 0 ? ` ${plural(left, 'earlier operation')} that the picture leaves out ${left === 1 ? 'is' : 'are'} in the list.` : ''}</p>
<details><summary>All ${plural(ordered.length, 'operation')}, as a list</summary>${list(ordered, { culprit, numbers, words })}</details></div>
`;
}

interface Context {
  readonly culprit: Entry | undefined;
  readonly numbers: ReadonlyMap<Entry, number>;
  readonly words: OperationWords;
}

/** The culprit, what it speaks of, and what happened last before it was answered. */
function chooseDrawn(ordered: readonly Entry[], culprit: Entry | undefined): readonly Entry[] {
  if (ordered.length <= DRAWN_MAX) return ordered;
  const until = culprit?.returnedAt ?? Number.POSITIVE_INFINITY;
  const kept = new Set<Entry>();
  if (culprit !== undefined) {
    kept.add(culprit);
    for (const entry of relatedTo(culprit, ordered).slice(0, DRAWN_MAX / 3)) kept.add(entry);
  }
  for (const entry of ordered.filter((one) => one.calledAt <= until).toReversed()) {
    if (kept.size >= DRAWN_MAX) break;
    kept.add(entry);
  }
  return ordered.filter((entry) => kept.has(entry));
}

interface Bar {
  readonly entry: Entry;
  readonly lane: number;
  readonly labels: readonly [string, string];
  readonly from: number;
  /** Undefined: it was never answered. */
  to: number | undefined;
}

/** Puts calls and answers side by side in their order, wide enough for the words of each lane. */
function placed(drawn: readonly Entry[], lanes: readonly number[], { words, numbers }: Context) {
  const events = drawn
    .flatMap((entry) => [
      { entry, at: entry.calledAt, isCall: true },
      ...(entry.outcome === 'maybe' ? [] : [{ entry, at: entry.returnedAt, isCall: false }]),
    ])
    .toSorted((a, b) => a.at - b.at || Number(b.isCall) - Number(a.isCall));
  const bars = new Map<Entry, Bar>();
  const laneEnds = lanes.map(() => 0);
  const eventWidth = Math.max(EVENT_WIDTH_MIN, (WIDTH_MIN - LABEL_WIDTH) / (events.length + 3));
  let x = LABEL_WIDTH;
  for (const { entry, isCall } of events) {
    const lane = lanes.indexOf(entry.client);
    x += eventWidth;
    if (!isCall) {
      const bar = bars.get(entry);
      if (bar !== undefined) bar.to = x;
      continue;
    }
    x = Math.max(x, laneEnds[lane] ?? 0);
    const labels = [
      `${numbers.get(entry) ?? ''} ${words.input(entry, WORDS_MAX)}`,
      words.answer(entry, WORDS_MAX),
    ] as const;
    bars.set(entry, { entry, lane, labels, from: x, to: undefined });
    const letters = Math.max(...labels.map((label) => label.length)) + 2;
    laneEnds[lane] = x + Math.max(letters * LETTER_WIDTH, eventWidth * 2);
  }
  return { bars: [...bars.values()], width: Math.max(x + eventWidth * 2, ...laneEnds) };
}

function picture(drawn: readonly Entry[], context: Context): Markup {
  const lanes = [...new Set(drawn.map((entry) => entry.client))].toSorted((a, b) => a - b);
  const { bars, width } = placed(drawn, lanes, context);
  const height = TOP + lanes.length * LANE_HEIGHT;
  const culprit = bars.find((bar) => bar.entry === context.culprit);
  const rows = lanes.map(
    (client, lane) =>
      html`<line class="grid" x1="0" x2="${width}" y1="${TOP + lane * LANE_HEIGHT}" y2="${TOP + lane * LANE_HEIGHT}"/><text class="client" x="2" y="${TOP + lane * LANE_HEIGHT + 36}">client ${client}</text>`,
  );
  const moment =
    culprit?.to === undefined
      ? undefined
      : html`<line class="moment" x1="${culprit.to}" x2="${culprit.to}" y1="${TOP - 8}" y2="${height}"/><text class="impossible ${culprit.to > CLAIM_WIDTH ? 'end' : 'start'}" x="${culprit.to}" y="13">${CLAIM}</text>`;
  return html`<svg class="diagram" width="${Math.ceil(width)}" height="${height}" viewBox="0 0 ${Math.ceil(width)} ${height}" role="img" aria-label="${plural(drawn.length, 'operation')} of ${plural(lanes.length, 'client')}">${rows}${moment}${bars.map((bar) => barOf(bar, width, bar === culprit))}</svg>`;
}

function barOf({ entry, lane, labels, from, to }: Bar, width: number, isCulprit: boolean): Markup {
  const y = TOP + lane * LANE_HEIGHT + 24;
  const kind = `operation ${entry.effect}${isCulprit ? ' culprit' : ''}${to === undefined ? ' open' : ''}`;
  const end = to ?? width - 2;
  const edge =
    to === undefined
      ? ''
      : html`<line class="end" x1="${end}" x2="${end}" y1="${y - 3}" y2="${y + BAR + 3}"/>`;
  return html`<g class="${kind}"><title>client ${entry.client}, called at ${momentWords(entry.calledAt)}</title><rect x="${from}" y="${y}" width="${end - from}" height="${BAR}"/><line class="end" x1="${from}" x2="${from}" y1="${y - 3}" y2="${y + BAR + 3}"/>${edge}<text x="${from}" y="${y - 6}">${isCulprit ? '✗ ' : ''}${labels[0]}</text><text class="answer" x="${from}" y="${y + BAR + 13}">→ ${labels[1]}</text></g>
`;
}

function list(ordered: readonly Entry[], { culprit, numbers, words }: Context): Markup {
  const shown = ordered.slice(-LISTED_MAX);
  const left = ordered.length - shown.length;
  const rows = shown.map((entry) => [
    `${entry === culprit ? '✗ ' : ''}${numbers.get(entry) ?? ''}`,
    String(entry.client),
    `${entry.calledAt.toFixed(1)} ms`,
    entry.outcome === 'maybe' ? 'never' : `${entry.returnedAt.toFixed(1)} ms`,
    words.input(entry, 200),
    words.answer(entry, 200),
  ]);
  return html`${left > 0 ? html`<p class="note">${plural(left, 'earlier operation')} are in run.json.</p>` : ''}${table(['', 'Client', 'Called', 'Answered', 'Operation', 'Answer'], rows)}`;
}
