import type { Entry } from '../history/history.ts';
import type { Checker, Judgement } from './checker.ts';
import { checkLinearizability } from './linearizability/checker.ts';
import { contradiction } from './linearizability/contradiction.ts';
import { minimalHistory } from './linearizability/minimal-history.ts';
import type { Operation } from './linearizability/operation.ts';
import {
  type SecretInput,
  type SecretOutput,
  secretModel,
} from './linearizability/secret-model.ts';

type SecretEntry = Entry<SecretInput, SecretOutput>;

/** Every answer fits one order of all operations, each between its call and its return. */
export const linearizable: Checker = {
  name: 'linearizable',
  summary: 'reads and writes of registers fit one order in time (Wing-Gong, Lowe)',
  judges: ['register'],
  check({ histories }) {
    let answered = 0;
    for (const { label, entries } of histories) {
      const judgement = judge(label, entries as readonly SecretEntry[]);
      if (judgement.kind !== 'ok') return Promise.resolve(judgement);
      answered += entries.filter((entry) => entry.outcome === 'ok').length;
    }
    return Promise.resolve({ kind: 'ok', about: `${answered} answered operations` });
  },
};

function judge(label: string, entries: readonly SecretEntry[]): Judgement {
  if (!entries.some((entry) => entry.outcome === 'ok'))
    return { kind: 'undecided', because: `${label}: no operation was answered` };
  const operations = entries.filter((entry) => entry.outcome !== 'no').map(operationOf);
  const verdict = checkLinearizability(secretModel, operations);
  switch (verdict.kind) {
    case 'linearizable':
      return { kind: 'ok', about: label };
    case 'undecided':
      return { kind: 'undecided', because: `${verdict.key}: the search ran out of steps` };
    case 'violation': {
      const few = contradiction(verdict.history);
      const fewest =
        few?.steps ?? minimalHistory(secretModel, verdict.history, (input) => input.kind === 'get');
      const named = new Map(entries.map((entry) => [nameOf(entry), entry]));
      const history = fewest.flatMap((one) => named.get(nameOf(one)) ?? []);
      const impossible = lastAnswered(fewest);
      return {
        kind: 'violation',
        because: `${verdict.key}: ${few?.because ?? 'no order of these operations explains their answers'}`,
        history,
        ...(impossible === undefined ? {} : { impossible }),
      };
    }
  }
}

/**
 * The history ends where the answers first contradict each other: with this answer. Operations that
 * were answered later are in it without their answers.
 */
function lastAnswered(history: readonly Operation<SecretInput, SecretOutput>[]) {
  let last: number | undefined;
  for (const [at, { output, returnedAt }] of history.entries()) {
    if (output === undefined) continue;
    if (last === undefined || returnedAt > (history[last]?.returnedAt ?? 0)) last = at;
  }
  return last;
}

/** A client does one thing at a time. */
const nameOf = (one: { readonly client: number; readonly calledAt: number }) =>
  `${one.client} ${one.calledAt}`;

function operationOf(entry: SecretEntry): Operation<SecretInput, SecretOutput> {
  const { client, input, calledAt } = entry;
  const answered = entry.outcome === 'ok';
  return {
    client,
    input,
    calledAt,
    output: answered ? entry.output : undefined,
    returnedAt: answered ? entry.returnedAt : Number.POSITIVE_INFINITY,
  };
}
