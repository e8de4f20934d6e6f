import type { Entry } from '../history/history.ts';
import type { Checker, Judgement } from './checker.ts';
import {
  type Answered,
  checkerOfEach,
  groupBy,
  isAnswered,
  isBefore,
  mayPrecede,
  type Violation,
  violation,
} from './entries.ts';

/** Each element is added once and removed at most once, after its addition was acknowledged. */
export type SetInput =
  | { readonly kind: 'add' | 'remove'; readonly set: string; readonly element: string }
  | { readonly kind: 'read'; readonly set: string };

export type SetOutput =
  | { readonly kind: 'done'; readonly revision: number }
  /** An addition found its element there already. */
  | { readonly kind: 'there' }
  | {
      readonly kind: 'elements';
      readonly elements: readonly string[];
      readonly revision: number;
    };

type SetEntry = Entry<SetInput, SetOutput>;

/** Linear in the operations and in what the reads returned. */
export const setElements: Checker = checkerOfEach<SetInput, SetOutput>({
  name: 'set-elements',
  summary: 'no element of a set is lost, doubled, resurrected or out of nowhere',
  judges: 'set',
  judge(entries) {
    const sets = groupBy(entries, (entry) => entry.input.set);
    for (const [set, operations] of sets) {
      const found = judgeSet(set, operations);
      if (found !== undefined) return found;
    }
    return about(entries, sets.size);
  },
});

function about(entries: readonly SetEntry[], sets: number): Judgement {
  const read = (entry: SetEntry) => entry.input.kind === 'read' && entry.outcome === 'ok';
  const reads = entries.filter(read).length;
  if (reads === 0) return { kind: 'undecided', because: 'no read was answered' };
  return {
    kind: 'ok',
    about: `${entries.length - reads} changes of ${sets} sets in ${reads} reads`,
  };
}

/** What is known of one element. */
interface Fate {
  add: SetEntry | undefined;
  remove: SetEntry | undefined;
  /** Of the reads that saw it, the first to return. */
  seenBy: Read | undefined;
  /** Of the reads that missed it after it was certainly there, the first to return. */
  missedBy: Read | undefined;
}

interface Read {
  readonly entry: SetEntry;
  readonly elements: ReadonlySet<string>;
  readonly revision: number;
}

function judgeSet(set: string, operations: readonly SetEntry[]): Violation | undefined {
  const fates = new Map<string, Fate>();
  const reads: Read[] = [];
  for (const entry of operations) {
    if (entry.input.kind === 'read') {
      if (entry.output?.kind !== 'elements') continue;
      const { elements, revision } = entry.output;
      const distinct = new Set(elements);
      if (distinct.size < elements.length)
        return violation(`${set}: a read tells an element twice`, entry);
      reads.push({ entry, elements: distinct, revision });
      continue;
    }
    const { element, kind } = entry.input;
    const fate = fates.get(element) ?? noFate();
    fates.set(element, fate);
    if (kind === 'add' && entry.output?.kind === 'there')
      return violation(`${set}: ${element} was there before it was added`, entry);
    fate[kind] = entry;
  }
  reads.sort((a, b) => a.entry.returnedAt - b.entry.returnedAt);
  const rules = [judgeSeen, judgeMissed, judgeReturned];
  for (const rule of rules)
    for (const read of reads) {
      const found = rule(set, read, fates);
      if (found !== undefined) return found;
    }
  return undefined;
}

const noFate = (): Fate => ({
  add: undefined,
  remove: undefined,
  seenBy: undefined,
  missedBy: undefined,
});

type Rule = (set: string, read: Read, fates: Map<string, Fate>) => Violation | undefined;

/** Whatever a read sees was added before it ended, and not removed before it began. */
const judgeSeen: Rule = (set, read, fates) => {
  for (const element of read.elements) {
    const fate = fates.get(element);
    if (fate?.add === undefined) return violation(`${set}: ${element} was never added`, read.entry);
    fate.seenBy ??= read;
    const { add, remove } = fate;
    if (!mayPrecede(add, read.entry) || isLater(add, read))
      return violation(`${set}: ${element} was read before it was added`, add, read.entry);
    if (remove !== undefined && isDone(remove, read))
      return violation(`${set}: ${element} was removed and came back`, add, remove, read.entry);
  }
  return undefined;
};

/** What was there before a read began is seen, unless it may have been removed. */
const judgeMissed: Rule = (set, read, fates) => {
  for (const [element, fate] of fates) {
    const { add, remove, seenBy } = fate;
    if (add === undefined || read.elements.has(element)) continue;
    const wasSeen = seenBy !== undefined && isBefore(seenBy.entry, read.entry);
    if (!isDone(add, read) && !wasSeen) continue;
    if (remove === undefined || !mayPrecede(remove, read.entry) || isLater(remove, read))
      return violation(
        `${set}: ${element} is lost`,
        add,
        isDone(add, read) ? undefined : seenBy?.entry,
        isAnsweredRemoval(remove) ? remove : undefined,
        read.entry,
      );
    fate.missedBy ??= read;
  }
  return undefined;
};

/** What a removal of unknown outcome took away stays away. */
const judgeReturned: Rule = (set, read, fates) => {
  for (const element of read.elements) {
    const { add, remove, missedBy } = fates.get(element) ?? noFate();
    if (missedBy !== undefined && isBefore(missedBy.entry, read.entry))
      return violation(
        `${set}: ${element} was gone and came back`,
        add,
        remove,
        missedBy.entry,
        read.entry,
      );
  }
  return undefined;
};

const isAnsweredRemoval = (entry: SetEntry | undefined) => entry !== undefined && isAnswered(entry);

/** Its effect is certainly in what the read saw: by time, or by revision. */
function isDone(change: SetEntry, read: Read): boolean {
  return isBefore(change, read.entry) || (revisionOf(change) ?? Infinity) <= read.revision;
}

/** Its effect is certainly not in what the read saw, by its revision. */
function isLater(change: SetEntry, read: Read): boolean {
  return (revisionOf(change) ?? 0) > read.revision;
}

function revisionOf(change: SetEntry): number | undefined {
  const { output } = change as Partial<Answered<SetInput, SetOutput>>;
  return output?.kind === 'done' ? output.revision : undefined;
}
