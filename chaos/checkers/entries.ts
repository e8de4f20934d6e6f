import type { Entry } from '../history/history.ts';
import type { Checker, JudgedHistory, Judgement } from './checker.ts';

export type Violation = Extract<Judgement, { readonly kind: 'violation' }>;

/** It was answered. */
export type Answered<Input, Output> = Entry<Input, Output> & { readonly output: Output };

export function isAnswered<Input, Output>(
  entry: Entry<Input, Output>,
): entry is Answered<Input, Output> {
  return entry.outcome === 'ok';
}

/** Certainly: an unanswered operation may still take effect after anything. */
export function isBefore(first: Entry, second: Entry): boolean {
  return first.outcome === 'ok' && first.returnedAt < second.calledAt;
}

/** It may have had an effect before the other returned. */
export function mayPrecede(first: Entry, second: Entry): boolean {
  return first.outcome !== 'no' && first.calledAt <= second.returnedAt;
}

/** Each once, in the order in which they began. */
export function violation(because: string, ...shown: readonly (Entry | undefined)[]): Violation {
  const history = [...new Set(shown)].filter((one) => one !== undefined);
  return {
    kind: 'violation',
    because,
    history: history.sort((a, b) => a.calledAt - b.calledAt),
  };
}

export function groupBy<T>(
  items: Iterable<T>,
  keyOf: (item: T) => string,
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** A checker that judges each history by itself; one without an answered operation proves nothing. */
export function checkerOfEach<Input, Output>(parts: {
  readonly name: string;
  readonly summary: string;
  readonly judges: string;
  readonly judge: (entries: readonly Entry<Input, Output>[], history: JudgedHistory) => Judgement;
}): Checker {
  const { name, summary, judges, judge } = parts;
  return {
    name,
    summary,
    judges: [judges],
    check({ histories }) {
      const about: string[] = [];
      for (const history of histories) {
        const judgement = history.entries.some(isAnswered)
          ? judge(history.entries as readonly Entry<Input, Output>[], history)
          : ({ kind: 'undecided', because: 'no operation was answered' } as const);
        const { label } = history;
        if (judgement.kind === 'ok') about.push(judgement.about);
        else return Promise.resolve({ ...judgement, because: `${label}: ${judgement.because}` });
      }
      return Promise.resolve(
        about.length === 0
          ? { kind: 'undecided', because: `no workload "${judges}" ran` }
          : { kind: 'ok', about: about.join('; ') },
      );
    },
  };
}
