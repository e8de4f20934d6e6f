import { expect, test } from 'vitest';
import { arrival, corrupted } from '../../../chaos/grounds/processes/lossy-link.ts';
import { SeededRandom } from '../../../src/lib/index.ts';

const clear = {
  kind: 'shaped',
  delayMs: 0,
  jitterMs: 0,
  lossRatio: 0,
  corruptRatio: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
} as const;

const arrivals = (state: Partial<typeof clear> | object, seed: number, count = 50) => {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () =>
    arrival({ ...clear, ...state }, 1_000, 0, 1_000, random),
  );
};

test('the same seed delays and loses the same', () => {
  const state = { delayMs: 20, jitterMs: 10, lossRatio: 0.3 };
  expect(arrivals(state, 5)).toEqual(arrivals(state, 5));
  expect(arrivals(state, 5)).not.toEqual(arrivals(state, 6));
});

test('what is lost comes with its retransmission, and what is not at once', () => {
  const waits = arrivals({ lossRatio: 0.3 }, 1, 300).map((at) => (at ?? 0) - 1_000);
  expect(waits).toEqual(expect.arrayContaining([0, 200, 600, 1_400]));
  expect(waits.filter((wait) => wait === 0).length).toBeGreaterThan(150);
});

test('what is lost again and again ends the connection', () => {
  expect(arrivals({ lossRatio: 1 }, 1, 1)).toEqual([undefined]);
});

test('bandwidth is bounded, one chunk after the other', () => {
  const random = new SeededRandom(1);
  const slow = { ...clear, bytesPerSecond: 1_000 };
  const first = arrival(slow, 0, 0, 500, random);
  expect(first).toBe(500);
  expect(arrival(slow, 0, first ?? 0, 500, random)).toBe(1_000);
});

test('a corrupted chunk differs by one bit, and the original is left alone', () => {
  const chunk = Buffer.alloc(100);
  const copy = corrupted(chunk, 1, new SeededRandom(1));
  const bits = [...copy].reduce(
    (sum, byte) => sum + byte.toString(2).replaceAll('0', '').length,
    0,
  );
  expect(bits).toBe(1);
  expect(chunk.equals(Buffer.alloc(100))).toBe(true);
  expect(corrupted(chunk, 0, new SeededRandom(1))).toBe(chunk);
});
