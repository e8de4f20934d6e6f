import { describe, expect, it } from 'vitest';
import { createPinGuard, type TokenFacts } from '../../src/hsm/index.ts';
import {
  type Clock,
  deferred,
  SecretBytes,
  StrongroomError,
  SystemRandom,
  utf8Bytes,
  utf8Text,
} from '../../src/lib/index.ts';
import { ClusterPinGuard } from '../../src/seal/cluster-pin-guard.ts';
import { CLUSTER_ID } from '../harness/seal.ts';
import { MemorySealRecords } from '../harness/seal-records.ts';

const token: TokenFacts = {
  label: 'alpha',
  serial: '0123',
  manufacturer: 'm',
  model: 'm',
  pinCountLow: false,
  pinFinalTry: false,
  pinLocked: false,
};
const pin = (text: string) => SecretBytes.take(utf8Bytes(text));
const refusal = () => new StrongroomError('hsm.pin-rejected', 'wrong');
const died = () => new StrongroomError('hsm.timeout', 'the agent died');

/** Time that passes when told to. */
function handClock(): Clock & { readonly pass: () => void; readonly waiting: () => number } {
  const timers = new Set<() => void>();
  return {
    monotonicMs: () => 0,
    wallMs: () => 0,
    after(_delayMs, callback) {
      timers.add(callback);
      return { cancel: () => timers.delete(callback) };
    },
    pass: () => {
      for (const timer of timers) timer();
    },
    waiting: () => timers.size,
  };
}

function cluster() {
  const records = new MemorySealRecords();
  const clock = handClock();
  const random = new SystemRandom();
  const stopping = new AbortController();
  const node = (nodeId: number) =>
    new ClusterPinGuard({
      slot: 'hsm-a',
      clusterId: CLUSTER_ID,
      nodeId,
      records,
      clock,
      random,
      local: createPinGuard(random),
      loginMs: 10_000,
      signal: stopping.signal,
    });
  return { records, clock, stopping, node };
}

const record = (records: MemorySealRecords): unknown => {
  const bytes = records.read('seal/pin/hsm-a');
  return bytes === undefined ? undefined : JSON.parse(utf8Text(bytes));
};

const failureOf = (task: Promise<void>): Promise<unknown> =>
  task.then(
    () => 'no failure',
    (error: unknown) => error,
  );

const claimed = (records: MemorySealRecords): Promise<unknown> =>
  expect.poll(() => record(records)).toMatchObject({ claim: expect.any(String) });

describe('the guard of a cluster', () => {
  it('lets one node present at a time, and the others learn from it', async () => {
    const { records, clock, node } = cluster();
    const answer = deferred<void>();
    const presented: number[] = [];
    const first = node(1).present(token, pin('1234'), () => {
      presented.push(1);
      return answer.promise;
    });
    await expect.poll(() => presented).toEqual([1]);
    const second = node(2).present(token, pin('1234'), async () => {
      presented.push(2);
    });
    const secondFailed = failureOf(second);
    await expect.poll(() => clock.waiting()).toBe(1);
    expect(presented).toEqual([1]);
    // What is under way may well be the right PIN, so nothing of it is written down.
    expect(record(records)).toEqual({ rejected: [], claim: expect.stringMatching(/^1\//) });
    answer.reject(refusal());
    await expect(first).rejects.toMatchObject({ code: 'hsm.pin-rejected' });
    expect(await secondFailed).toMatchObject({ code: 'hsm.pin-rejected' });
    expect(presented).toEqual([1]);
  });

  it('leaves no trace of a PIN that was right, and lets the next node in', async () => {
    const { records, node } = cluster();
    const presented: number[] = [];
    const all = [1, 2, 3].map((nodeId) =>
      node(nodeId).present(token, pin('1234'), async () => {
        presented.push(nodeId);
      }),
    );
    await Promise.all(all);
    expect(new Set(presented)).toEqual(new Set([1, 2, 3]));
    await expect.poll(() => record(records)).toBeUndefined();
  });

  it('makes others look at the counter again when a different PIN was refused meanwhile', async () => {
    const { records, clock, node } = cluster();
    const answer = deferred<void>();
    const first = node(1).present(token, pin('1234'), () => answer.promise);
    await claimed(records);
    let presented = false;
    const second = node(2).present(token, pin('9876'), async () => {
      presented = true;
    });
    const secondFailed = failureOf(second);
    await expect.poll(() => clock.waiting()).toBe(1);
    answer.reject(refusal());
    await expect(first).rejects.toMatchObject({ code: 'hsm.pin-rejected' });
    expect(await secondFailed).toMatchObject({ code: 'hsm.unavailable' });
    expect(presented).toBe(false);
  });

  it('asks the counter of the token how a try ended that was never answered', async () => {
    const { clock, node } = cluster();
    const broken = node(1).present(token, pin('1234'), () => Promise.reject(died()));
    await expect(broken).rejects.toMatchObject({ code: 'hsm.timeout' });

    const low = node(2).present({ ...token, pinCountLow: true }, pin('1234'), async () => {});
    const lowFailed = failureOf(low);
    await expect.poll(() => clock.waiting()).toBe(1);
    clock.pass();
    expect(await lowFailed).toMatchObject({ code: 'hsm.pin-rejected' });

    // The node itself, restarted, need not wait; nor is it better off.
    const restarted = { ...token, pinCountLow: true };
    await expect(node(1).present(restarted, pin('1234'), async () => {})).rejects.toMatchObject({
      code: 'hsm.pin-rejected',
    });
    await node(1).present(token, pin('1234'), async () => {});
  });

  it('takes the claim of its own former life over at once', async () => {
    const { records, clock, node } = cluster();
    void node(1).present(token, pin('1234'), () => deferred<void>().promise);
    await claimed(records);
    await node(1).present(token, pin('1234'), async () => {});
    expect(clock.waiting()).toBe(0);
  });

  it('reads the counter again after a wait in vain, so that a wrong PIN is not presented twice', async () => {
    const { records, clock, node } = cluster();
    let tries = 0;
    // Node 1 is killed while the token answers that the PIN is wrong.
    void node(1).present(token, pin('1234'), () => {
      tries++;
      return deferred<void>().promise;
    });
    await claimed(records);
    const other = node(2);
    // Its facts are of the time before the try of node 1.
    const early = failureOf(other.present(token, pin('1234'), async () => void tries++));
    await expect.poll(() => clock.waiting()).toBe(1);
    clock.pass();
    expect(await early).toMatchObject({ code: 'hsm.unavailable' });
    // The second time it does not wait, and knows better.
    const late = other.present({ ...token, pinCountLow: true }, pin('1234'), async () => {
      tries++;
    });
    await expect(late).rejects.toMatchObject({ code: 'hsm.pin-rejected' });
    expect(tries).toBe(1);
  });

  it('goes on after a wait in vain when the counter says that nothing was wrong', async () => {
    const { records, clock, node } = cluster();
    void node(1).present(token, pin('1234'), () => deferred<void>().promise);
    await claimed(records);
    const other = node(2);
    const early = failureOf(other.present(token, pin('1234'), async () => {}));
    await expect.poll(() => clock.waiting()).toBe(1);
    clock.pass();
    expect(await early).toMatchObject({ code: 'hsm.unavailable' });
    await other.present(token, pin('1234'), async () => {});
    await expect.poll(() => record(records)).toBeUndefined();
  });

  it('takes its claim back later when it could not at once', async () => {
    const { records, clock, node } = cluster();
    await node(1).present(token, pin('1234'), async () => {
      records.writeFailure = new StrongroomError('raft.no-leader', 'an election is under way');
    });
    await expect.poll(() => clock.waiting()).toBe(1);
    expect(record(records)).toMatchObject({ claim: expect.any(String) });
    records.writeFailure = undefined;
    clock.pass();
    await expect.poll(() => record(records)).toBeUndefined();
  });

  it('remembers a refusal that could not be written at once', async () => {
    const { records, clock, node } = cluster();
    const wrong = node(1).present(token, pin('1234'), async () => {
      records.writeFailure = new StrongroomError('raft.no-leader', 'an election is under way');
      throw refusal();
    });
    await expect(wrong).rejects.toMatchObject({ code: 'hsm.pin-rejected' });
    records.writeFailure = undefined;
    await expect.poll(() => clock.waiting()).toBe(1);
    clock.pass();
    await expect.poll(() => record(records)).toEqual({ rejected: [expect.any(String)] });
  });

  it('takes a claim back whose writing has an unknown outcome', async () => {
    const { records, clock, node } = cluster();
    const write = records.write.bind(records);
    records.write = async (...args) => {
      await write(...args);
      throw new StrongroomError('raft.outcome-unknown', 'the leader was lost');
    };
    let presented = false;
    const failed = node(1).present(token, pin('1234'), async () => {
      presented = true;
    });
    await expect(failed).rejects.toMatchObject({ code: 'raft.outcome-unknown' });
    expect(presented).toBe(false);
    records.write = write;
    await expect.poll(() => clock.waiting()).toBe(1);
    clock.pass();
    await expect.poll(() => record(records)).toBeUndefined();
  });

  it('stops waiting when the node stops', async () => {
    const { records, clock, stopping, node } = cluster();
    const never = deferred<void>();
    void node(1).present(token, pin('1234'), () => never.promise);
    await claimed(records);
    const second = node(2).present(token, pin('1234'), async () => {});
    const closed = failureOf(second);
    await expect.poll(() => clock.waiting()).toBe(1);
    stopping.abort();
    expect(await closed).toMatchObject({ code: 'hsm.closed' });
    expect(clock.waiting()).toBe(0);
  });
});
