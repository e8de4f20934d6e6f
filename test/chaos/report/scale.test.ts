import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linearScale, logScale, type Scale, timeScale } from '../../../chaos/report/scale.ts';

const value = fc.double({ min: 1e-6, max: 1e12, noNaN: true });
const pair = fc.tuple(value, value).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

function expectSound(scale: Scale, [min, max]: readonly [number, number], ticksMax: number) {
  const { ticks, at } = scale;
  expect(ticks.length).toBeLessThanOrEqual(ticksMax);
  expect(new Set(ticks).size).toBe(ticks.length);
  expect(ticks.toSorted((a, b) => a - b)).toEqual(ticks);
  for (const tick of ticks) {
    expect(at(tick)).toBeGreaterThanOrEqual(0);
    expect(at(tick)).toBeLessThanOrEqual(1);
  }
  expect(at(min)).toBeLessThanOrEqual(at(max));
}

test('a linear axis has few, round, evenly spaced marks, with the values between the outermost', () => {
  fc.assert(
    fc.property(pair, ([min, max]) => {
      const scale = linearScale(min, max);
      expectSound(scale, [min, max], 7);
      const { ticks } = scale;
      const slack = Math.max((max - min) * 1e-6, max * 1e-8);
      expect(ticks[0]).toBeLessThanOrEqual(min + slack);
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(max - slack);
      expect(scale.at(ticks[0] ?? 0)).toBeCloseTo(0);
      expect(scale.at(ticks.at(-1) ?? 0)).toBeCloseTo(1);
    }),
  );
});

test('a logarithmic axis has powers of ten as marks, and holds all values', () => {
  fc.assert(
    fc.property(pair, ([min, max]) => {
      const scale = logScale(min, max);
      expectSound(scale, [min, max], 6);
      expect(scale.ticks.length).toBeGreaterThanOrEqual(2);
      for (const tick of scale.ticks)
        expect(Math.log10(tick) - Math.round(Math.log10(tick))).toBeCloseTo(0);
      expect(scale.at(max * 10)).toBeCloseTo(1);
      expect(scale.at(0)).toBe(0);
    }),
  );
});

test('an axis of time spans exactly the run, with at most seven round marks inside it', () => {
  const times = fc.tuple(fc.nat(1_000_000_000), fc.integer({ min: 1, max: 1_000_000_000 }));
  fc.assert(
    fc.property(times, ([from, span]) => {
      const scale = timeScale(from, from + span);
      expectSound(scale, [from, from + span], 7);
      expect(scale.at(from)).toBe(0);
      expect(scale.at(from + span)).toBe(1);
      for (const tick of scale.ticks) {
        expect(tick).toBeGreaterThanOrEqual(from);
        expect(tick).toBeLessThanOrEqual(from + span);
      }
    }),
  );
});

test('a run of twenty seconds is marked every five', () => {
  expect(timeScale(400, 20_000).ticks).toEqual([5_000, 10_000, 15_000, 20_000]);
});
