import type { Checker, Judgement } from '../../../chaos/checkers/checker.ts';
import type { Cluster } from '../../../chaos/grounds/ground.ts';
import { observationOf } from '../../../chaos/grounds/observation.ts';
import type { Entry } from '../../../chaos/history/history.ts';

/** Has a checker judge one history, as the runner would. */
export function judge(
  checker: Checker,
  entries: readonly Entry[],
  parameters: unknown = {},
): Promise<Judgement> {
  return checker.check({
    histories: [{ workload: checker.judges[0] ?? '', label: 'tried', parameters, entries }],
    cluster: {} as Cluster,
    faults: [],
    final: observationOf([]),
    signal: new AbortController().signal,
  });
}

/** "ok", "undecided", or what the violation says and how many operations show it. */
export async function verdict(
  checker: Checker,
  entries: readonly Entry[],
  parameters: unknown = {},
): Promise<string> {
  const judgement = await judge(checker, entries, parameters);
  return judgement.kind === 'violation'
    ? `${judgement.because} (${judgement.history.length})`
    : judgement.kind;
}

/** Builds histories: time passes by itself, each operation returns before the next is called. */
export class Scribe<Input, Output> {
  readonly entries: Entry<Input, Output>[] = [];
  now = 0;

  ok(client: number, effect: Entry['effect'], input: Input, output: Output): this {
    return this.add({ client, effect, input, outcome: 'ok', output });
  }

  maybe(client: number, effect: Entry['effect'], input: Input): this {
    return this.add({ client, effect, input, outcome: 'maybe', error: 'client.unreachable' });
  }

  /** Lets time pass. */
  wait(ms: number): this {
    this.now += ms;
    return this;
  }

  add(entry: Omit<Entry<Input, Output>, 'calledAt' | 'returnedAt'>): this {
    this.entries.push({ ...entry, calledAt: this.now + 1, returnedAt: this.now + 5 });
    this.now += 10;
    return this;
  }
}
