import { describe, expect, test } from 'vitest';
import { simulate } from '../../chaos/simulation/simulation.ts';

const SEEDS = 2_000;

describe('whole clusters from one seed', () => {
  test(`keep Raft's promises under faults, and come together afterwards, with ${SEEDS} seeds`, {
    timeout: 900_000,
  }, async () => {
    const failed: string[] = [];
    let acked = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        acked += (await simulate({ seed })).acked;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        failed.push(`${why}; replay: npm run chaos:simulate -- --seed ${seed} --verbose`);
      }
    }
    expect(failed).toEqual([]);
    // A simulation in which nothing is ever acknowledged would pass everything.
    expect(acked).toBeGreaterThan(SEEDS);
  });

  test('run the same way again, byte for byte', async () => {
    for (const seed of [7, 42, 1234]) {
      const [first, second] = [await simulate({ seed }), await simulate({ seed })];
      expect(second).toEqual(first);
    }
  });
});
