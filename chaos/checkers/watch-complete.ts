import type { Entry } from '../history/history.ts';
import type { Checker, Judgement } from './checker.ts';
import { checkerOfEach, isAnswered, mayPrecede, type Violation, violation } from './entries.ts';

export interface ToldChange {
  readonly kind: string;
  readonly path: string;
  readonly version: number;
  readonly revision: number;
}

/** Each path has one writer. A change is one revision and one event. */
export type WatchInput =
  | { readonly kind: 'put' | 'delete'; readonly path: string }
  /** Where a watcher begins, and begins again after `compacted`. */
  | { readonly kind: 'list' }
  /** How far there is to be told, at the end. */
  | { readonly kind: 'newest' }
  /** One batch; `after` is what the watch was opened, or goes on, with. */
  | { readonly kind: 'watch'; readonly after: number };

export type WatchOutput =
  | { readonly kind: 'changed'; readonly version: number; readonly revision: number }
  | { readonly kind: 'listed' | 'newest'; readonly revision: number }
  | { readonly kind: 'told'; readonly events: readonly ToldChange[]; readonly revision: number }
  | { readonly kind: 'compacted'; readonly floor: number };

type WatchEntry = Entry<WatchInput, WatchOutput>;

/** What one watcher was told without a gap. */
interface Stretch {
  readonly watcher: number;
  readonly from: number;
  to: number;
  readonly batches: WatchEntry[];
}

interface Expected {
  readonly change: ToldChange;
  /** The acknowledged change, or the batch that told of one whose outcome is unknown. */
  readonly because: WatchEntry;
}

/** Linear but for sorting. */
export const watchComplete: Checker = checkerOfEach<WatchInput, WatchOutput>({
  name: 'watch-complete',
  summary: 'watchers are told every change in order, each once, over breaks and resumptions',
  judges: 'watch',
  judge(entries) {
    const stretches: Stretch[] = [];
    for (const watcher of new Set(watching(entries).map((entry) => entry.client))) {
      const own = entries.filter((entry) => entry.client === watcher && isAnswered(entry));
      const found = follow(watcher, own, stretches);
      if (found !== undefined) return found;
    }
    if (stretches.every(({ batches }) => batches.length === 0))
      return { kind: 'undecided', because: 'no watcher was told anything' };
    const { expected, found } = expectations(entries, stretches);
    return (
      found ??
      judgeStretches(stretches, expected) ??
      judgeEnds(stretches, expected) ??
      about(entries, stretches, expected.length)
    );
  },
});

const watching = (entries: readonly WatchEntry[]) =>
  entries.filter((entry) => entry.input.kind === 'watch');

function about(
  entries: readonly WatchEntry[],
  stretches: readonly Stretch[],
  changes: number,
): Judgement {
  const watchers = new Set(stretches.map((stretch) => stretch.watcher)).size;
  const compacted = entries.filter((entry) => entry.output?.kind === 'compacted').length;
  return {
    kind: 'ok',
    about: `${changes} changes told to ${watchers} watchers, ${compacted} resumptions compacted`,
  };
}

/** One watcher's batches, in order: they must join, and rise. */
function follow(
  watcher: number,
  own: readonly WatchEntry[],
  stretches: Stretch[],
): Violation | undefined {
  let current: Stretch | undefined;
  let last: WatchEntry | undefined;
  for (const entry of own) {
    const { input, output } = entry;
    if (output?.kind === 'listed') {
      current = { watcher, from: output.revision, to: output.revision, batches: [] };
      stretches.push(current);
    }
    if (input.kind !== 'watch' || current === undefined) continue;
    if (output?.kind === 'compacted') {
      if (output.floor <= input.after)
        return violation('a watch was refused as compacted at a revision that is kept', entry);
      current = undefined;
    } else if (output?.kind === 'told') {
      const found = judgeBatch(current, entry, output, last);
      if (found !== undefined) return found;
      current.batches.push(entry);
      current.to = Math.max(current.to, output.revision);
    }
    last = entry;
  }
  return undefined;
}

function judgeBatch(
  { watcher, to }: Stretch,
  entry: WatchEntry,
  { events, revision }: Extract<WatchOutput, { readonly kind: 'told' }>,
  last: WatchEntry | undefined,
): Violation | undefined {
  let before = to;
  for (const event of events) {
    if (event.revision <= before)
      return violation(
        `watcher ${watcher} was told revision ${event.revision} after ${before}: twice, or out of order`,
        last,
        entry,
      );
    before = event.revision;
  }
  if (revision < before)
    return violation(
      `watcher ${watcher} may resume at ${revision}, before what it was told`,
      last,
      entry,
    );
  return undefined;
}

/** Every change that must be told, by revision: acknowledged, or told to some watcher. */
function expectations(
  entries: readonly WatchEntry[],
  stretches: readonly Stretch[],
): { readonly expected: readonly Expected[]; readonly found: Violation | undefined } {
  const byRevision = new Map<number, Expected>();
  const unknown = new Map<string, WatchEntry[]>();
  for (const entry of entries) {
    const { input, output } = entry;
    if (input.kind !== 'put' && input.kind !== 'delete') continue;
    const { kind, path } = input;
    if (output?.kind === 'changed') {
      const { version, revision } = output;
      byRevision.set(revision, { change: { kind, path, version, revision }, because: entry });
    } else if (entry.outcome === 'maybe') {
      const of = unknown.get(`${kind} ${path}`) ?? [];
      unknown.set(`${kind} ${path}`, [...of, entry]);
    }
  }
  let found: Violation | undefined;
  for (const batch of stretches.flatMap((stretch) => stretch.batches))
    for (const change of toldIn(batch)) {
      const known = byRevision.get(change.revision);
      if (known !== undefined && !isSame(known.change, change))
        found ??= violation(
          `two tell of revision ${change.revision} differently`,
          known.because,
          batch,
        );
      if (known !== undefined) continue;
      // Each change of unknown outcome explains one event.
      const of = unknown.get(`${change.kind} ${change.path}`) ?? [];
      const at = of.findIndex((one) => mayPrecede(one, batch));
      if (at === -1)
        found ??= violation(`revision ${change.revision} was told, which nobody made`, batch);
      of.splice(at, at === -1 ? 0 : 1);
      byRevision.set(change.revision, { change, because: batch });
    }
  const expected = [...byRevision.values()].sort((a, b) => a.change.revision - b.change.revision);
  return { expected, found };
}

const toldIn = (batch: WatchEntry) => (batch.output?.kind === 'told' ? batch.output.events : []);

const isSame = (a: ToldChange, b: ToldChange) =>
  a.kind === b.kind && a.path === b.path && a.version === b.version;

/** Complete: what was expected within a stretch was told in it. */
function judgeStretches(
  stretches: readonly Stretch[],
  expected: readonly Expected[],
): Violation | undefined {
  for (const { watcher, from, to, batches } of stretches) {
    const told = new Set(batches.flatMap((batch) => toldIn(batch).map((event) => event.revision)));
    for (const { change, because } of expected) {
      const { revision, kind, path } = change;
      if (revision <= from || revision > to || told.has(revision)) continue;
      const past = batches.find(
        ({ output }) => output?.kind === 'told' && output.revision >= revision,
      );
      return violation(
        `watcher ${watcher} was not told of the ${kind} of ${path} at revision ${revision}`,
        because,
        past,
      );
    }
  }
  return undefined;
}

/** Everyone was told to the end. */
function judgeEnds(
  stretches: readonly Stretch[],
  expected: readonly Expected[],
): Violation | undefined {
  const last = expected.at(-1);
  const ends = new Map(stretches.map((stretch) => [stretch.watcher, stretch]));
  for (const { watcher, to, batches } of ends.values())
    if (last !== undefined && to < last.change.revision)
      return violation(
        `watcher ${watcher} was told nothing after revision ${to}`,
        batches.at(-1),
        last.because,
      );
  return undefined;
}
