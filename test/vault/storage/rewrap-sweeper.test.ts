import { beforeAll, describe, expect, test } from 'vitest';
import {
  addEpoch,
  type Barrier,
  createBarrier,
  dropEpoch,
  loadSodium,
} from '../../../src/barrier/index.ts';
import {
  type Clock,
  SeededRandom,
  systemClock,
  utf8Bytes,
  utf8Text,
} from '../../../src/lib/index.ts';
import type { Transaction } from '../../../src/store/index.ts';
import { quietLogger, quietMetrics } from '../../../src/telemetry/index.ts';
import {
  type Area,
  openStorageTransaction,
  openStorageView,
  rewrapSweeper,
} from '../../../src/vault/storage/index.ts';
import { keyringOf, mount, rootNamespace } from '../../barrier/fixture.ts';
import { MemoryStore } from './memory-store.ts';

beforeAll(loadSodium);

const area: Area = { namespace: rootNamespace, mount, kind: 1 };
const COUNT = 300;

/** A store with records of epoch 1, and a barrier that is at epoch 2. */
function rotated(count = COUNT) {
  const random = new SeededRandom(1);
  const store = new MemoryStore();
  const keyring = keyringOf(50);
  const barrier = createBarrier({ keyring, random });
  using tx = openStorageTransaction({ view: store.view(), barrier });
  for (let i = 0; i < count; i++) {
    tx.put(area, ['r', String(i)], utf8Bytes(`value ${i}`), { expiresAtMs: 1000 + i });
  }
  store.apply(tx.toTransaction());
  const next = addEpoch(keyring, random);
  barrier.useKeyring(next);
  return { store, barrier, keyring: next };
}

/** Time that passes at once, and tells how much of it was asked for. */
function quickClock(): Clock & { slept: number } {
  return {
    slept: 0,
    monotonicMs: () => systemClock.monotonicMs(),
    wallMs: () => 0,
    after(delayMs, callback) {
      this.slept += delayMs;
      queueMicrotask(callback);
      return { cancel() {} };
    },
  };
}

function sweeperOf(
  store: MemoryStore,
  barrier: Barrier,
  options: { beforeCommit?: (transaction: Transaction, call: number) => void; clock?: Clock } = {},
) {
  let calls = 0;
  return rewrapSweeper({
    view: () => store.view(),
    barrier,
    commit: async (transaction) => {
      calls += 1;
      options.beforeCommit?.(transaction, calls);
      return store.apply(transaction);
    },
    clock: options.clock ?? quickClock(),
    log: quietLogger,
    metrics: quietMetrics,
    recordsPerSecondMax: 1000,
  });
}

const epochsIn = (store: MemoryStore, barrier: Barrier) =>
  new Set(store.rows.filter(({ key }) => key[0] === 0x10).map((row) => barrier.epochOf(row.value)));
const never = new AbortController().signal;

describe('the rewrap sweeper', () => {
  test('brings every record to the present epoch and then finds the store clean', async () => {
    const { store, barrier, keyring } = rotated();
    const before = store.rows;
    const sweeper = sweeperOf(store, barrier);
    expect(await sweeper.sweep(never)).toMatchObject({ rewrapped: COUNT, isClean: false });
    expect(epochsIn(store, barrier)).toEqual(new Set([2]));
    expect(await sweeper.sweep(never)).toMatchObject({
      looked: COUNT,
      rewrapped: 0,
      isClean: true,
    });

    barrier.useKeyring(dropEpoch(keyring, 1));
    using view = openStorageView({ view: store.view(), barrier });
    expect(utf8Text(view.get(area, ['r', '7']) ?? new Uint8Array())).toBe('value 7');
    const facts = (rows: MemoryStore['rows']) => rows.map((r) => [r.revision, r.expiresAtMs]);
    expect(facts(store.rows), 'revisions and deadlines stay').toEqual(facts(before));
    expect(store.openViews).toBe(1);
  });

  test('goes on where it was interrupted', async () => {
    const { store, barrier } = rotated();
    const stop = new AbortController();
    const first = sweeperOf(store, barrier, {
      beforeCommit: (_, call) => {
        if (call === 3) stop.abort(new Error('the leader changed'));
      },
    });
    await expect(first.sweep(stop.signal)).rejects.toThrow('the leader changed');
    expect(epochsIn(store, barrier)).toEqual(new Set([1, 2]));

    const second = sweeperOf(store, barrier);
    const result = await second.sweep(never);
    expect(result.looked, 'what was done is not looked at again').toBe(COUNT - 3 * 64);
    expect(epochsIn(store, barrier)).toEqual(new Set([2]));
    expect(result.isClean).toBe(false);
    expect((await second.sweep(never)).isClean).toBe(true);
  });

  test('does not overwrite what a writer changed meanwhile, and is not held up by it', async () => {
    const { store, barrier } = rotated(100);
    const sweeper = sweeperOf(store, barrier, {
      beforeCommit: (_, call) => {
        if (call !== 1) return;
        using tx = openStorageTransaction({ view: store.view(), barrier });
        tx.put(area, ['r', '5'], utf8Bytes('changed'));
        tx.delete(area, ['r', '6']);
        store.apply(tx.toTransaction());
      },
    });
    const result = await sweeper.sweep(never);
    expect(result.rewrapped + result.conflicts).toBeGreaterThanOrEqual(98);
    using view = openStorageView({ view: store.view(), barrier });
    expect(utf8Text(view.get(area, ['r', '5']) ?? new Uint8Array())).toBe('changed');
    expect(view.get(area, ['r', '6'])).toBeUndefined();
    expect(epochsIn(store, barrier)).toEqual(new Set([2]));
  });

  test('leaves a damaged record as it is, says so, and is not clean', async () => {
    const { store, barrier } = rotated(10);
    const [first, ...others] = store.rows;
    if (first === undefined) throw new Error('Ten rows were put');
    const value = Uint8Array.from(first.value);
    value[60] = (value[60] ?? 0) ^ 1;
    store.rows = [{ ...first, value }, ...others];
    const sweeper = sweeperOf(store, barrier);
    expect(await sweeper.sweep(never)).toMatchObject({ rewrapped: 9, damaged: 1, isClean: false });
    expect(await sweeper.sweep(never)).toMatchObject({ rewrapped: 0, damaged: 1, isClean: false });
    expect(store.rows[0]?.value).toEqual(value);
  });

  test('looks at no more records a second than it may', async () => {
    const { store, barrier } = rotated();
    const clock = quickClock();
    await sweeperOf(store, barrier, { clock }).sweep(never);
    // 300 records at 1,000 a second, without a pause after the last batch of 44.
    expect(clock.slept).toBe(256);
  });
});
