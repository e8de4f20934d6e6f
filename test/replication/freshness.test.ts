import { setMaxListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type Clock, deferred, StrongroomError, systemClock } from '../../src/lib/index.ts';
import { ConsistencyGate, Freshness } from '../../src/replication/index.ts';
import { commit, open, put, tempDirectory } from '../store/harness.ts';

const never = new AbortController().signal;
setMaxListeners(0, never);

/** A clock that a test moves; its timers are the machine's. */
function movable(): { readonly clock: Clock; nowMs: number } {
  const moved = {
    nowMs: 1000,
    clock: { ...systemClock, monotonicMs: () => moved.nowMs },
  };
  return moved;
}

describe('freshness', () => {
  it('counts from when the index was asked for, once that index is applied here', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    const time = movable();
    const answer = deferred<number>();
    await using freshness = new Freshness({
      store,
      clock: time.clock,
      askReadIndex: () => answer.promise,
    });
    expect(freshness.stalenessMs()).toBe(Number.POSITIVE_INFINITY);
    const renewed = freshness.renew(never);
    await Promise.resolve();
    time.nowMs += 40;
    answer.resolve(1);
    await Promise.resolve();
    time.nowMs += 5;
    // Confirmed, but not yet applied: it proves nothing about the state.
    expect(freshness.stalenessMs()).toBe(Number.POSITIVE_INFINITY);
    commit(store, { writes: [put('a', '1')] });
    await renewed;
    expect(freshness.stalenessMs()).toBe(45);
  });

  it('lets a bounded read pass on what is proven, and asks only when that is too old', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    const time = movable();
    let rounds = 0;
    await using freshness = new Freshness({
      store,
      clock: time.clock,
      askReadIndex: async () => {
        rounds++;
        return 0;
      },
    });
    const gate = new ConsistencyGate({ store, freshness, clock: time.clock });
    const bounded = { kind: 'bounded', stalenessMs: 100 } as const;
    await gate.ready(bounded, never);
    expect(rounds).toBe(1);
    time.nowMs += 100;
    await gate.ready(bounded, never);
    expect(rounds).toBe(1);
    time.nowMs += 1;
    await gate.ready(bounded, never);
    expect(rounds).toBe(2);
  });

  it('asks once for many linearizable reads, and again for those that come after it asked', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    const asked: ReturnType<typeof deferred<number>>[] = [];
    await using freshness = new Freshness({
      store,
      clock: systemClock,
      askReadIndex: () => {
        const answer = deferred<number>();
        asked.push(answer);
        return answer.promise;
      },
    });
    const early = Array.from({ length: 10 }, () => freshness.renew(never));
    await expect.poll(() => asked.length).toBe(1);
    const late = Array.from({ length: 10 }, () => freshness.renew(never));
    asked[0]?.resolve(0);
    await Promise.all(early);
    await expect.poll(() => asked.length).toBe(2);
    asked[1]?.resolve(0);
    await Promise.all(late);
    expect(asked).toHaveLength(2);
  });

  it('of any age is answered by a voter that is cut off only for as long as its bound', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    const time = movable();
    let isCutOff = false;
    await using freshness = new Freshness({
      store,
      clock: time.clock,
      askReadIndex: () =>
        isCutOff
          ? Promise.reject(new StrongroomError('raft.no-leader', 'Nobody leads'))
          : Promise.resolve(0),
    });
    const gate = new ConsistencyGate({
      store,
      freshness,
      clock: time.clock,
      stalenessMaxMs: 10_000,
      asksWhenStale: true,
    });
    const anyAge = [{ kind: 'eventual' }, { kind: 'at-least', revision: 0 }] as const;
    for (const one of anyAge) await gate.ready(one, never);
    isCutOff = true;
    time.nowMs += 10_000;
    for (const one of anyAge) await gate.ready(one, never);
    time.nowMs += 1;
    for (const one of anyAge)
      await expect(gate.ready(one, never)).rejects.toMatchObject({ code: 'replication.stale' });
    isCutOff = false;
    for (const one of anyAge) await gate.ready(one, never);
  });
});
