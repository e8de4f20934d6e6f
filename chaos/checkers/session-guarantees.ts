import type { Entry } from '../history/history.ts';
import type { Checker, Judgement } from './checker.ts';
import {
  type Answered,
  checkerOfEach,
  isAnswered,
  mayPrecede,
  type Violation,
  violation,
} from './entries.ts';

/** Each key has one writer, who writes its versions one after the other. */
export type SessionInput =
  | { readonly kind: 'write'; readonly key: string }
  | {
      readonly kind: 'read';
      readonly key: string;
      /** `session`: what this client has seen, it sees again. */
      readonly wants:
        | { readonly kind: 'session' }
        | { readonly kind: 'bounded'; readonly stalenessMs: number }
        | { readonly kind: 'at-least'; readonly revision: number };
    };

export interface SessionOutput {
  /** 0: there is none. */
  readonly version: number;
  /** 0: not told, which a refusal does not. */
  readonly revision: number;
}

type SessionEntry = Entry<SessionInput, SessionOutput>;
type Done = Answered<SessionInput, SessionOutput>;

/** Times of two operations on one clock are told apart by so much. */
const EPSILON_MS = 1;

/** Linear but for sorting. */
export const sessionGuarantees: Checker = checkerOfEach<SessionInput, SessionOutput>({
  name: 'session-guarantees',
  summary:
    'clients of replicas read their writes, never go back, and no read is staler than it asked for',
  judges: 'session',
  judge(entries) {
    const answered = entries.filter(isAnswered);
    return (
      judgeSessions(answered) ??
      judgeValues(entries, answered) ??
      judgeFreshness(answered) ??
      about(answered)
    );
  },
});

function about(answered: readonly Done[]): Judgement {
  const reads = (kind: string) =>
    answered.filter(({ input }) => input.kind === 'read' && input.wants.kind === kind).length;
  const [session, bounded, atLeast] = [reads('session'), reads('bounded'), reads('at-least')];
  if (session + bounded + atLeast === 0)
    return { kind: 'undecided', because: 'no read was answered' };
  return {
    kind: 'ok',
    about: `${session} session reads, ${bounded} of bounded staleness, ${atLeast} at a revision`,
  };
}

/** Read-your-writes and monotonic reads: a client's revisions and versions never go back. */
function judgeSessions(answered: readonly Done[]): Violation | undefined {
  const newest = new Map<string, Done>();
  for (const entry of [...answered].sort((a, b) => a.calledAt - b.calledAt)) {
    const { input, output, client } = entry;
    const isPromised = input.kind === 'write' || input.wants.kind === 'session';
    for (const [scope, of] of [
      [`${client}`, 'revision'],
      [`${client} ${input.key}`, 'version'],
    ] as const) {
      const before = newest.get(scope);
      const isTold = of === 'version' || output.revision > 0;
      if (before !== undefined && isPromised && isTold && output[of] < before.output[of])
        return violation(
          before.input.kind === 'write'
            ? `client ${client} did not read its own write`
            : `client ${client} went back to an older ${of}`,
          before,
          entry,
        );
      if (before === undefined || output[of] > before.output[of]) newest.set(scope, entry);
    }
  }
  return undefined;
}

/** A version that is read was written, by an operation that had begun. */
function judgeValues(
  entries: readonly SessionEntry[],
  answered: readonly Done[],
): Violation | undefined {
  const writes = new Map<string, SessionEntry[]>();
  for (const entry of entries) {
    if (entry.input.kind !== 'write') continue;
    const ofKey = writes.get(entry.input.key) ?? [];
    ofKey.push(entry);
    writes.set(entry.input.key, ofKey);
  }
  for (const entry of answered) {
    if (entry.input.kind !== 'read' || entry.output.version === 0) continue;
    const ofKey = writes.get(entry.input.key) ?? [];
    // One writer: version n needs n of its writes to have begun.
    const last = ofKey[entry.output.version - 1];
    if (last === undefined || !mayPrecede(last, entry))
      return violation(
        `version ${entry.output.version} of ${entry.input.key} was read before it was written`,
        last,
        entry,
      );
  }
  return undefined;
}

/** What was acknowledged before the bound is in what was read. */
function judgeFreshness(answered: readonly Done[]): Violation | undefined {
  const returned = [...answered]
    .filter(({ input }) => input.kind === 'write')
    .sort((a, b) => a.returnedAt - b.returnedAt);
  const bounded = answered.flatMap((entry) => {
    const { input } = entry;
    return input.kind === 'read' && input.wants.kind === 'bounded'
      ? [{ entry, key: input.key, sinceMs: entry.calledAt - input.wants.stalenessMs - EPSILON_MS }]
      : [];
  });
  bounded.sort((a, b) => a.sinceMs - b.sinceMs);
  const newest = new Map<string, Done>();
  let latest: Done | undefined;
  let at = 0;
  for (const { entry, key, sinceMs } of bounded) {
    for (
      let write = returned[at];
      write !== undefined && write.returnedAt < sinceMs;
      write = returned[++at]
    ) {
      const before = newest.get(write.input.key);
      if (before === undefined || write.output.version > before.output.version)
        newest.set(write.input.key, write);
      if (latest === undefined || write.output.revision > latest.output.revision) latest = write;
    }
    const write = newest.get(key);
    if (write !== undefined && entry.output.version < write.output.version)
      return violation(`a read is staler than the bound it asked for`, write, entry);
    if (
      latest !== undefined &&
      entry.output.revision > 0 &&
      entry.output.revision < latest.output.revision
    )
      return violation('a read is of an older revision than its bound allows', latest, entry);
  }
  return judgeRevisions(answered, returned);
}

/** A read that asked for a revision has it, with every write up to there. */
function judgeRevisions(answered: readonly Done[], writes: readonly Done[]): Violation | undefined {
  const ofKey = new Map<string, Done[]>();
  for (const write of [...writes].sort((a, b) => a.output.revision - b.output.revision)) {
    const list = ofKey.get(write.input.key) ?? [];
    list.push(write);
    ofKey.set(write.input.key, list);
  }
  for (const entry of answered) {
    const { input, output } = entry;
    if (input.kind !== 'read') continue;
    if (
      input.wants.kind === 'at-least' &&
      output.revision > 0 &&
      output.revision < input.wants.revision
    )
      return violation(
        `a read is of revision ${output.revision} and asked for ${input.wants.revision}`,
        entry,
      );
    const least = input.wants.kind === 'at-least' ? input.wants.revision : 0;
    const seen = lastUpTo(ofKey.get(input.key) ?? [], Math.max(least, output.revision));
    if (seen !== undefined && output.version < seen.output.version)
      return violation('a read lacks a write that its revision holds', seen, entry);
  }
  return undefined;
}

function lastUpTo(writes: readonly Done[], revision: number): Done | undefined {
  let low = 0;
  let high = writes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((writes[middle]?.output.revision ?? Infinity) <= revision) low = middle + 1;
    else high = middle;
  }
  return writes[low - 1];
}
