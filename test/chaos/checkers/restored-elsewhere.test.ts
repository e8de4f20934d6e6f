import { expect, test } from 'vitest';
import type { Evidence } from '../../../chaos/checkers/checker.ts';
import { compareRestored, restoredElsewhere } from '../../../chaos/checkers/restored-elsewhere.ts';

const of = (...records: readonly (readonly [string, string])[]) => new Map(records);
const before = of(['secret a', '1'], ['policy p', '2']);

test('a restored cluster that tells the same of everything holds', () => {
  expect(compareRestored(before, new Map(before), 9)).toMatchObject({
    kind: 'ok',
    about: '2 records from a snapshot of 9 bytes, the same on new hardware',
  });
});

test.each([
  ['a secret that is gone', of(['policy p', '2']), 'secret a is not in the cluster'],
  ['another value', of(['secret a', '0'], ['policy p', '2']), 'secret a is another one'],
  ['one too many', new Map([...before, ['secret b', '3']]), 'secret b is only in the cluster'],
])('%s is a violation', (_what, after, because) => {
  expect(compareRestored(before, after, 9)).toMatchObject({
    kind: 'violation',
    because: expect.stringContaining(because) as string,
  });
});

test('nothing to restore, or too much to compare, proves nothing', () => {
  expect(compareRestored(new Map(), new Map(), 9).kind).toBe('undecided');
  expect(compareRestored(before, undefined, 9).kind).toBe('undecided');
});

test('where there are no other machines it is told as not checked', async () => {
  const evidence = { cluster: {}, histories: [] } as unknown as Evidence;
  expect((await restoredElsewhere.check(evidence)).kind).toBe('not-checked');
});
