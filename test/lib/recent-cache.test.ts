import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecentCache } from '../../src/lib/index.ts';

const key = fc.integer({ min: 0, max: 30 });
const step = fc.oneof(
  fc.record({ kind: fc.constant('get' as const), key }),
  fc.record({ kind: fc.constant('set' as const), key, value: fc.string({ maxLength: 9 }) }),
  fc.record({ kind: fc.constant('delete' as const), key }),
  fc.record({ kind: fc.constant('clear' as const) }),
);

describe('a cache of what was used lately', () => {
  it('answers with what was set last, or nothing, and never holds more than it may', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.integer({ min: 2, max: 60 }),
        (steps, max) => {
          const sizeOf = (_: number, value: string) => 1 + value.length;
          const cache = new RecentCache<number, string>({ sizeMax: max, sizeOf });
          const model = new Map<number, string>();
          const answers: {
            readonly found: string | undefined;
            readonly right: string | undefined;
          }[] = [];
          for (const one of steps) {
            if (one.kind === 'set') {
              cache.set(one.key, one.value);
              model.set(one.key, one.value);
            } else if (one.kind === 'delete') {
              cache.delete(one.key);
              model.delete(one.key);
            } else if (one.kind === 'clear') {
              cache.clear();
              model.clear();
            } else {
              answers.push({ found: cache.get(one.key), right: model.get(one.key) });
            }
          }
          for (const { found, right } of answers) expect([right, undefined]).toContain(found);
          // Asking moves entries about, so what is held together is what a single pass finds.
          const held = [...model.keys()].flatMap((each) => cache.get(each) ?? []);
          const largest = Math.max(0, ...[...model.values()].map((value) => 1 + value.length));
          const size = held.reduce((sum, value) => sum + 1 + value.length, 0);
          expect(size).toBeLessThanOrEqual(2 * max + 4 * largest);
        },
      ),
    );
  });

  it('keeps an entry that is used again and again, however many others come and go', () => {
    const cache = new RecentCache<number, string>({ sizeMax: 10 });
    cache.set(0, 'hot');
    for (let other = 1; other < 1_000; other++) {
      cache.set(other, 'cold');
      expect(cache.get(0)).toBe('hot');
    }
    expect(cache.get(1)).toBeUndefined();
  });

  it('keeps of an older entry only what it is told to carry on', () => {
    const cache = new RecentCache<number, string>({
      sizeMax: 2,
      carry: (value) => `${value} again`,
    });
    cache.set(0, 'once');
    cache.set(1, 'other');
    expect(cache.get(0)).toBe('once again');
  });
});
