import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutDirections, type PartitionShape } from '../../../chaos/faults/partition-shapes.ts';
import { SeededRandom } from '../../../src/lib/index.ts';

const named = (count: number) => Array.from({ length: count }, (_, at) => `voter-${at + 1}`);

/** Who hears whom, itself included, when a partition of that shape is on. */
function views(shape: PartitionShape, count: number, seed: number, chosen: readonly string[] = []) {
  const nodes = named(count);
  const cut = cutDirections(shape, {
    nodes,
    voters: nodes,
    chosen,
    random: new SeededRandom(seed),
  });
  const isCut = (from: string, to: string) => cut.some((one) => one.from === from && one.to === to);
  return nodes.map((to) => nodes.filter((from) => from === to || !isCut(from, to)));
}

const sizes = fc.integer({ min: 3, max: 9 });
const seeds = fc.nat();

test('in a ring every voter sees a majority, and no two see the same', () => {
  fc.assert(
    fc.property(sizes, seeds, (count, seed) => {
      const seen = views('ring', count, seed);
      for (const view of seen) expect(view.length).toBeGreaterThan(count / 2);
      expect(new Set(seen.map((view) => [...view].sort().join())).size).toBe(count);
    }),
  );
});

test('over a bridge exactly one voter sees everyone', () => {
  fc.assert(
    fc.property(sizes, seeds, (count, seed) => {
      const whole = views('bridge', count, seed).filter((view) => view.length === count);
      expect(whole.length).toBe(1);
    }),
  );
});

test('one, halves and minority make two sides that see only themselves', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<PartitionShape>('one', 'halves', 'minority'),
      sizes,
      seeds,
      (shape, count, seed) => {
        const sides = new Set(views(shape, count, seed).map((view) => view.join()));
        expect(sides.size).toBe(2);
        const lengths = [...sides].map((side) => side.split(',').length).sort((a, b) => a - b);
        expect(lengths[0]).toBe(
          { one: 1, halves: Math.floor(count / 2), minority: Math.max(1, (count - 1) >> 1) }[
            shape as 'one'
          ],
        );
      },
    ),
  );
});

test('isolated nodes stay together, apart from all others', () => {
  expect(views('isolate', 5, 1, ['voter-2', 'voter-4'])).toEqual([
    ['voter-1', 'voter-3', 'voter-5'],
    ['voter-2', 'voter-4'],
    ['voter-1', 'voter-3', 'voter-5'],
    ['voter-2', 'voter-4'],
    ['voter-1', 'voter-3', 'voter-5'],
  ]);
});
