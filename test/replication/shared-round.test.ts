import { expect, test } from 'vitest';
import { deferred } from '../../src/lib/index.ts';
import { SharedRound } from '../../src/replication/shared-round.ts';

const never = new AbortController().signal;

test('those who come while a round is under way share the next, and never get its answer', async () => {
  let rounds = 0;
  const gate = deferred<void>();
  const shared = new SharedRound(async () => {
    rounds++;
    await gate.promise;
    return rounds;
  });
  const first = shared.join(never);
  await expect.poll(() => rounds).toBe(1);
  const later = Array.from({ length: 50 }, () => shared.join(never));
  gate.resolve();
  expect(await first).toBe(1);
  expect(new Set(await Promise.all(later))).toEqual(new Set([2]));
  expect(rounds).toBe(2);
});
