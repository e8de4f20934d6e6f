import fc from 'fast-check';
import { expect, test } from 'vitest';
import { minimise } from '../../../chaos/shrink/minimise.ts';

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at);

test('what is needed together is found among many, in order, and nothing else is kept', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.nat(39), { maxLength: 4 }),
      async (count, wanted) => {
        const needed = [...new Set(wanted.filter((one) => one < count))].sort((a, b) => a - b);
        const found = await minimise(
          upTo(count),
          (some) => Promise.resolve(needed.every((one) => some.includes(one))),
          10_000,
        );
        expect(found).toEqual(needed);
      },
    ),
  );
});

test('a failure that needs nothing is found at once', async () => {
  let tries = 0;
  const found = await minimise(
    upTo(50),
    () => {
      tries += 1;
      return Promise.resolve(true);
    },
    100,
  );
  expect(found).toEqual([]);
  expect(tries).toBe(1);
});

test('it stops at its bound of tries with something that fails', async () => {
  let tries = 0;
  const fails = (some: readonly number[]) => {
    tries += 1;
    return Promise.resolve([3, 17, 29, 31].every((one) => some.includes(one)));
  };
  const found = await minimise(upTo(40), fails, 5);
  expect(tries).toBeLessThanOrEqual(5);
  expect(await fails(found)).toBe(true);
});
