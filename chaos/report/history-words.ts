import type { Entry } from '../history/history.ts';
import { shortened } from './words.ts';

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Says what an operation did, whatever the workload: its kind, then its fields. */
export class OperationWords {
  /** Fields that are alike in all operations: said once, above. */
  readonly #common: ReadonlyMap<string, unknown>;

  constructor(entries: readonly Entry[]) {
    this.#common = commonFields(entries.map((entry) => entry.input));
  }

  /** "key register-0": what all operations are about; empty when they have nothing in common. */
  common(): string {
    return [...this.#common].map(([name, value]) => `${name} ${plain(value)}`).join(', ');
  }

  input({ input, effect }: Entry, lengthMax = 60): string {
    if (!isFields(input)) return shortened(`${effect} ${plain(input)}`, lengthMax);
    const rest = Object.entries(input).filter(
      ([name, value]) => name !== 'kind' && value !== undefined && !this.#common.has(name),
    );
    const kind = typeof input['kind'] === 'string' ? input['kind'] : effect;
    return shortened([kind, ...rest.map(fieldWords)].join(' '), lengthMax);
  }

  answer({ output, outcome, error }: Entry, lengthMax = 60): string {
    if (outcome !== 'ok') {
      const what = outcome === 'maybe' ? 'no answer, may have happened' : 'certainly not done';
      return shortened(error === undefined ? what : `${what}: ${error}`, lengthMax);
    }
    if (!isFields(output)) return shortened(plain(output), lengthMax);
    const rest = Object.entries(output).filter(([name]) => name !== 'kind');
    const words = rest.map(fieldWords).join(' ');
    const kind = typeof output['kind'] === 'string' ? output['kind'] : '';
    return shortened(
      words === '' ? kind : kind === 'put' || kind === '' ? words : `${kind} ${words}`,
      lengthMax,
    );
  }
}

const fieldWords = ([name, value]: readonly [string, unknown]) => `${name} ${plain(value)}`;
const plain = (value: unknown) =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');

/** With one operation, or without fields, there is nothing in common to speak of. */
function commonFields(inputs: readonly unknown[]): ReadonlyMap<string, unknown> {
  const [first, ...others] = inputs;
  if (!isFields(first) || others.length === 0) return new Map();
  const same = Object.entries(first).filter(
    ([name, value]) =>
      name !== 'kind' && others.every((other) => isFields(other) && other[name] === value),
  );
  return new Map(same);
}

/** Operations that speak of a value that this one's answer speaks of, such as the write it read. */
export function relatedTo(one: Entry, entries: readonly Entry[]): readonly Entry[] {
  const values = new Set(leaves(one.output).filter((leaf) => leaf.length > 2));
  return entries.filter((other) => leaves(other.input).some((leaf) => values.has(leaf)));
}

function leaves(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => (name === 'kind' ? [] : leaves(inner)));
}
