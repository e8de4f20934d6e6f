import { describe, expect, it } from 'vitest';
import { Breaker } from '../../src/hsm/breaker.ts';
import { type Clock, SeededRandom } from '../../src/lib/index.ts';

function atTime(): { readonly clock: Clock; now: number } {
  const time = { now: 0 };
  const clock: Clock = {
    monotonicMs: () => time.now,
    wallMs: () => time.now,
    after: () => ({ cancel() {} }),
  };
  return Object.assign(time, { clock });
}

describe('the breaker of a token', () => {
  const trouble = new Error('no answer');

  it('lets two failures pass, and rests after the third until its backoff is over', () => {
    const time = atTime();
    const breaker = new Breaker(time.clock, new SeededRandom(1), 'alpha');
    for (let failures = 1; failures <= 2; failures++) {
      breaker.failed(trouble, false);
      expect(() => breaker.check()).not.toThrow();
    }
    breaker.failed(trouble, false);
    expect(() => breaker.check()).toThrow('no answer');
    time.now += 1_001;
    expect(() => breaker.check()).not.toThrow();
  });

  it('rests longer and longer, but never over a minute', () => {
    const time = atTime();
    const breaker = new Breaker(time.clock, new SeededRandom(2), 'alpha');
    for (let failures = 0; failures < 40; failures++) breaker.failed(trouble, false);
    time.now += 60_001;
    expect(() => breaker.check()).not.toThrow();
  });

  it('forgets failures after a success', () => {
    const time = atTime();
    const breaker = new Breaker(time.clock, new SeededRandom(3), 'alpha');
    for (let failures = 0; failures < 5; failures++) breaker.failed(trouble, false);
    breaker.succeeded();
    expect(() => breaker.check()).not.toThrow();
  });

  it('quarantines a module that crashed five times in ten minutes, successes or not', () => {
    const time = atTime();
    const breaker = new Breaker(time.clock, new SeededRandom(4), 'alpha');
    for (let crashes = 0; crashes < 5; crashes++) {
      expect(() => breaker.check()).not.toThrow();
      breaker.failed(trouble, true);
      breaker.succeeded();
      time.now += 60_000;
    }
    expect(() => breaker.check()).toThrow('crashed 5 times');
    time.now += 299_000;
    expect(() => breaker.check()).toThrow('crashed 5 times');
    time.now += 2_000;
    expect(() => breaker.check()).not.toThrow();
  });
});
