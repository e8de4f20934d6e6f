import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkLinearizability } from '../../../chaos/checkers/linearizability/checker.ts';
import { contradiction } from '../../../chaos/checkers/linearizability/contradiction.ts';
import type { Operation } from '../../../chaos/checkers/linearizability/operation.ts';
import {
  type SecretInput,
  type SecretOutput,
  secretModel,
} from '../../../chaos/checkers/linearizability/secret-model.ts';
import { linearizable } from '../../../chaos/checkers/linearizable.ts';
import { judge, Scribe } from './evidence.ts';

type Step = Operation<SecretInput, SecretOutput>;

const key = 'k';
const step = (
  at: readonly [number, number],
  input: SecretInput,
  output: SecretOutput | undefined,
): Step => ({ client: 0, input, output, calledAt: at[0], returnedAt: at[1] });
const put = (at: readonly [number, number], value: string, version: number, revision: number) =>
  step(at, { kind: 'put', key, value }, { kind: 'put', version, revision });
const got = (at: readonly [number, number], value: string, version: number, revision: number) =>
  step(at, { kind: 'get', key }, { kind: 'got', value, version, revision });
const because = (...history: Step[]) => {
  const found = contradiction(history);
  return found === undefined ? undefined : `${found.because} (${found.steps.length})`;
};

describe('a contradiction between a few answers', () => {
  test('is none where an order explains them', () => {
    expect(because(put([0, 1], 'a', 1, 1), got([2, 3], 'a', 1, 1))).toBeUndefined();
    expect(
      because(put([0, 9], 'a', 1, 1), got([2, 3], 'a', 1, 5), got([4, 5], 'a', 1, 7)),
    ).toBeUndefined();
  });

  test('names two answers for each way to be wrong, however much else was done', () => {
    const others = Array.from({ length: 50 }, (_, at) =>
      put([10 * at, 10 * at + 5], `v${at}`, at + 1, at + 1),
    );
    const last = (value: string, version: number, revision: number) =>
      got([600, 605], value, version, revision);
    expect(because(...others, last('v3', 4, 60))).toBe('an answer is older than one before it (2)');
    expect(because(...others, last('v49', 50, 40))).toBe(
      'an answer is of an older revision than one before it (2)',
    );
    expect(because(...others, last('v49', 51, 60))).toBe('one write made two versions (2)');
    expect(because(...others, put([600, 605], 'w', 50, 60))).toBe('one version has two values (2)');
    expect(because(...others, last('never', 51, 60))).toBe(
      'a value was read that nobody wrote (1)',
    );
  });

  test('sees an acknowledged write that was forgotten, between overlapping operations too', () => {
    expect(because(put([0, 1], 'a', 1, 5), put([2, 3], 'b', 1, 7))).toBe(
      'one version has two values (2)',
    );
    expect(because(put([0, 99], 'a', 1, 5), put([0, 99], 'b', 2, 4))).toBe(
      'a later version is of an earlier revision (2)',
    );
    expect(because(put([0, 99], 'a', 1, 5), got([0, 99], 'a', 1, 4))).toBe(
      'a later version is of an earlier revision (2)',
    );
  });

  test('sees a compare-and-set that was made on another version', () => {
    const cas = step(
      [0, 1],
      { kind: 'put', key, value: 'a', cas: 3 },
      { kind: 'put', version: 5, revision: 9 },
    );
    expect(because(cas)).toBe('a compare-and-set was made on another version (1)');
  });

  test('is what the check of registers shows, of a long history', async () => {
    const told = new Scribe<SecretInput, SecretOutput>();
    for (let at = 1; at <= 200; at++)
      told.ok(
        0,
        'write',
        { kind: 'put', key, value: `v${at}` },
        { kind: 'put', version: at, revision: at },
      );
    told.ok(
      1,
      'read',
      { kind: 'get', key },
      { kind: 'got', value: 'v7', version: 7, revision: 300 },
    );
    const judgement = await judge(linearizable, told.entries);
    expect(judgement.kind === 'violation' && judgement.history).toHaveLength(2);
  });

  test('is never found in a history that the full search accepts', () => {
    const claim = fc.record({
      from: fc.nat(20),
      lasts: fc.nat(20),
      isPut: fc.boolean(),
      version: fc.integer({ min: 1, max: 4 }),
      revision: fc.integer({ min: 1, max: 6 }),
      isKnown: fc.boolean(),
    });
    let found = 0;
    fc.assert(
      fc.property(fc.array(claim, { maxLength: 7 }), (claims) => {
        const history = claims.map(({ from, lasts, isPut, version, revision, isKnown }, at) =>
          isPut
            ? {
                ...put([from, from + lasts], `v${at}`, version, revision),
                ...(isKnown ? {} : { output: undefined, returnedAt: Number.POSITIVE_INFINITY }),
              }
            : got(
                [from, from + lasts],
                `v${version % Math.max(1, claims.length)}`,
                version,
                revision,
              ),
        );
        if (contradiction(history) === undefined) return true;
        found++;
        return checkLinearizability(secretModel, history).kind === 'violation';
      }),
      { numRuns: 2_000 },
    );
    expect(found).toBeGreaterThan(100);
  });
});
