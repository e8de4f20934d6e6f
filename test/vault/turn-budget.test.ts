import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/index.ts';
import { TurnBudget } from '../../src/vault/turn-budget.ts';
import { SteppedClock } from '../harness/vault.ts';

/** Work that keeps the event loop busy for some milliseconds. */
function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('work that is ready all at once', () => {
  it('leaves room in between for what else the event loop has to do', async () => {
    const turns = new TurnBudget(systemClock);
    const done: number[] = [];
    let room = 0;
    const others = setInterval(() => room++, 1);
    const work = async (at: number) => {
      const turn = turns.enter();
      if (turn !== undefined) await turn;
      busy(4);
      done.push(at);
    };
    await Promise.all(Array.from({ length: 50 }, (_, at) => work(at)));
    clearInterval(others);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    // 200 ms of work in turns of 10 ms and a task: of one turn, `room` would be 0.
    expect(room).toBeGreaterThan(5);
  });

  it('of next to no time goes on at once, whatever its number', () => {
    const turns = new TurnBudget(new SteppedClock());
    for (let at = 0; at < 10_000; at++) expect(turns.enter()).toBeUndefined();
  });

  it('that comes while others wait goes behind them', async () => {
    const clock = new SteppedClock();
    const turns = new TurnBudget(clock);
    expect(turns.enter()).toBeUndefined();
    clock.advance(11);
    const order: string[] = [];
    const first = turns.enter()?.then(() => order.push('first'));
    clock.nowMs -= 11;
    const second = turns.enter()?.then(() => order.push('second'));
    expect([first, second]).not.toContain(undefined);
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
    expect(turns.enter()).toBeUndefined();
  });
});
