import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { hex, utf8Bytes } from '../../src/lib/index.ts';
import type { LogIndex } from '../../src/raft/index.ts';
import { LevelDisk } from '../../src/store/disk/level-disk.ts';
import type { Store, Transaction, View, Write } from '../../src/store/index.ts';
import { commandAt, commit, dump, members, open, put, rev, tempDirectory } from './harness.ts';

const KEYS = ['a', 'b', 'ba', 'c', 'd', 'da', 'e'];
const NO_CACHE = { headBytes: 0, valueBytes: 0, filterKeysMin: 0 };
/** Holds about two keys, so that they come and go all the time. */
const TINY_CACHE = { headBytes: 256, valueBytes: 512, filterKeysMin: 1 };
const LARGE_CACHE = { headBytes: 1 << 20, valueBytes: 1 << 20 };

const key = fc.constantFrom(...KEYS);
const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(key, fc.string({ maxLength: 6 })).map(([k, v]) => put(k, v)) },
  fc.tuple(key, fc.nat(50)).map(([k, ms]) => put(k, 'expiring', ms)),
  key.map((k): Write => ({ kind: 'delete', key: utf8Bytes(k) })),
  key.map((k): Write => ({ kind: 'rewrap', key: utf8Bytes(k), value: utf8Bytes('again') })),
  fc
    .tuple(key, key)
    .map((ends) => ends.sort())
    .map(
      ([start, end]): Write => ({
        kind: 'delete-range',
        start: utf8Bytes(start),
        end: utf8Bytes(end),
      }),
    ),
);

/** `behind`: how many entries ago the key was read, 0 for a guess that it was absent. */
const transaction = fc.record({
  reads: fc.array(fc.record({ key, behind: fc.nat(4) }), { maxLength: 2 }),
  rangeReadBehind: fc.option(fc.nat(3), { nil: undefined }),
  writes: fc.array(write, { maxLength: 4 }),
  request: fc.option(fc.nat(5), { nil: undefined }),
});
const step = fc.record({
  transactions: fc.array(transaction, { minLength: 1, maxLength: 4 }),
  persist: fc.boolean(),
});
type Plan = typeof transaction extends fc.Arbitrary<infer Value> ? Value : never;

function transactionOf(plan: Plan, revision: number): Partial<Transaction> {
  return {
    reads: plan.reads.map((read) => ({
      key: utf8Bytes(read.key),
      revision: rev(read.behind === 0 ? 0 : Math.max(0, revision - read.behind)),
    })),
    ...(plan.rangeReadBehind === undefined
      ? {}
      : {
          rangeReads: [
            {
              start: utf8Bytes('a'),
              end: utf8Bytes('d'),
              revision: rev(Math.max(0, revision - plan.rangeReadBehind)),
            },
          ],
        }),
    writes: plan.writes,
    ...(plan.request === undefined
      ? {}
      : { requestId: new Uint8Array(16).fill(plan.request), receipt: utf8Bytes('done') }),
  };
}

async function snapshotBytes(store: Store): Promise<string> {
  await using snapshot = await store.openSnapshot();
  const chunks: Uint8Array[] = [];
  for await (const chunk of snapshot.chunks()) chunks.push(chunk);
  return hex(Buffer.concat(chunks));
}

/** Gives `store` what `source` holds, as to a node that is far behind. */
async function installFrom(source: Store, store: Store): Promise<void> {
  await using snapshot = await source.openSnapshot();
  await store.installSnapshot(snapshot.meta, snapshot.chunks());
}

function readAll(view: View): readonly string[] {
  return KEYS.flatMap((name) => {
    const found = view.get(utf8Bytes(name));
    return found ? [`${name}=${Buffer.from(found.value).toString()}@${found.revision}`] : [];
  });
}

describe('the caches of a store', () => {
  it('change no result, digest, view or snapshot, whatever their size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        await using directories = {
          none: await tempDirectory(),
          tiny: await tempDirectory(),
          large: await tempDirectory(),
          async [Symbol.asyncDispose]() {
            for (const each of [this.none, this.tiny, this.large])
              await each[Symbol.asyncDispose]();
          },
        };
        await using none = await open(directories.none.path, { cache: NO_CACHE });
        await using tiny = await open(directories.tiny.path, { cache: TINY_CACHE });
        await using large = await open(directories.large.path, { cache: LARGE_CACHE });
        for (const { transactions, persist } of steps) {
          const entries = transactions.map((plan, at) => {
            const index = none.revision + 1 + at;
            return commandAt(index, transactionOf(plan, index));
          });
          const results = none.apply(entries, members);
          for (const store of [tiny, large]) {
            expect(store.apply(entries, members)).toEqual(results);
            expect(hex(store.digest().digest)).toBe(hex(none.digest().digest));
          }
          if (!persist) continue;
          for (const store of [none, tiny, large]) {
            await store.persist(store.revision as number as LogIndex);
          }
        }
        const snapshot = await snapshotBytes(none);
        for (const store of [tiny, large]) {
          expect(await snapshotBytes(store)).toBe(snapshot);
          expect(await store.verify(new AbortController().signal)).toBeDefined();
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it('change nothing after restarts and snapshots that are installed while they are read through', async () => {
    const event = fc.constantFrom('restart', 'install', 'none' as const);
    const steps = fc.array(fc.tuple(step, event), { maxLength: 10 });
    const sizes = fc.constantFrom(TINY_CACHE, LARGE_CACHE);
    await fc.assert(
      fc.asyncProperty(steps, sizes, async (plan, cache) => {
        await using modelDirectory = await tempDirectory();
        await using directory = await tempDirectory();
        await using model = await open(modelDirectory.path, { cache: NO_CACHE });
        let store = await open(directory.path, { cache });
        try {
          for (const [{ transactions, persist }, happens] of plan) {
            const entries = transactions.map((each, at) => {
              const index = model.revision + 1 + at;
              return commandAt(index, transactionOf(each, index));
            });
            const results = model.apply(entries, members);
            {
              // Warm, so that what is wrong in it would be seen.
              using before = store.view();
              const seen = readAll(before);
              const given =
                happens === 'install'
                  ? await installFrom(model, store).then(() => results)
                  : store.apply(entries, members);
              expect(given).toEqual(results);
              if (persist) await store.persist(store.revision as number as LogIndex);
              expect(readAll(before)).toEqual(seen);
            }
            if (happens === 'restart') {
              await store[Symbol.asyncDispose]();
              store = await open(directory.path, { cache });
            }
            using after = store.view();
            using expected = model.view();
            expect(readAll(after)).toEqual(readAll(expected));
            expect(hex(store.digest().digest)).toBe(hex(model.digest().digest));
          }
          expect(await snapshotBytes(store)).toBe(await snapshotBytes(model));
          expect(await store.verify(new AbortController().signal)).toBeDefined();
        } finally {
          await store[Symbol.asyncDispose]();
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it('take nothing more, and answer as before, when the disk refuses a batch', async () => {
    await using directory = await tempDirectory();
    let failures = 0;
    const onFailed = () => {
      failures += 1;
    };
    const store = await open(directory.path, { cache: LARGE_CACHE, onFailed });
    commit(store, { writes: [put('a', 'on disk'), put('b', 'on disk')] });
    await store.persist(store.revision as number as LogIndex);
    const written = vi.spyOn(LevelDisk.prototype, 'write').mockRejectedValueOnce(new Error('EIO'));
    commit(store, { writes: [put('a', 'never on disk'), put('c', 'never on disk')] });
    await expect(store.persist(store.revision as number as LogIndex)).rejects.toMatchObject({
      code: 'store.disk-failed',
    });
    written.mockRestore();
    {
      using view = store.view();
      expect(readAll(view)).toEqual(['a=never on disk@2', 'b=on disk@1', 'c=never on disk@2']);
    }
    expect(() => commit(store, { writes: [put('d', 'refused')] })).toThrow(/must stop/);
    expect(failures).toBe(1);
    await store[Symbol.asyncDispose]();
    // What the next process finds is what was on disk: the log brings the rest again.
    await using again = await open(directory.path, { cache: LARGE_CACHE });
    expect(await dump(again)).toEqual(['a=on disk@1', 'b=on disk@1']);
    const read = [{ key: utf8Bytes('c'), revision: rev(0) }];
    expect(commit(again, { reads: read }).kind).toBe('committed');
  });

  it('hide no damage of the disk from the pass that reads the whole state', async () => {
    await using directory = await tempDirectory();
    const value = 'x'.repeat(64);
    {
      await using store = await open(directory.path, { cache: LARGE_CACHE });
      commit(store, { writes: [put('a', value), put('b', value)] });
    }
    await using store = await open(directory.path, { cache: LARGE_CACHE });
    using warm = store.view();
    expect(warm.get(utf8Bytes('a'))).toBeDefined();
    // oxlint-disable-next-line typescript/unbound-method -- called on the disk that it belongs to.
    const snapshotOf = LevelDisk.prototype.snapshot;
    const damaged = vi.spyOn(LevelDisk.prototype, 'snapshot').mockImplementation(function (
      this: LevelDisk,
    ) {
      const snapshot = snapshotOf.call(this);
      return {
        get: (key) => snapshot.get(key),
        release: () => snapshot.release(),
        async *iterate(range) {
          for await (const page of snapshot.iterate(range)) {
            for (const [, bytes] of page) bytes[0] = (bytes[0] ?? 0) ^ 1;
            yield page;
          }
        },
      };
    });
    using cached = store.view();
    expect(cached.get(utf8Bytes('a'))).toBeDefined();
    await expect(store.verify(new AbortController().signal)).rejects.toMatchObject({
      code: 'store.corrupt',
    });
    damaged.mockRestore();
  });

  it('never take a key for absent that was put while the keys were being read', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path, { cache: { ...NO_CACHE, filterKeysMin: 1 } });
    const names = Array.from({ length: 300 }, (_, at) => `key ${at}`);
    for (const name of names) {
      commit(store, { writes: [put(name, 'value')] });
      // The reading goes on between two entries.
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const name of names) {
      const reads = [{ key: utf8Bytes(name), revision: rev(0) }];
      expect(commit(store, { reads }).kind).toBe('conflict');
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  it('let a view find by key what it lists, however much was changed and written since', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 12 }),
        fc.constantFrom(NO_CACHE, TINY_CACHE, LARGE_CACHE),
        async (steps, cache) => {
          await using directory = await tempDirectory();
          await using store = await open(directory.path, { cache });
          for (const { transactions, persist } of steps) {
            using before = store.view();
            const listed = await dump(store);
            expect(readAll(before)).toEqual(listed);
            const entries = transactions.map((plan, at) => {
              const index = store.revision + 1 + at;
              return commandAt(index, transactionOf(plan, index));
            });
            store.apply(entries, members);
            expect(readAll(before)).toEqual(listed);
            if (persist) await store.persist(store.revision as number as LogIndex);
            expect(readAll(before)).toEqual(listed);
            using after = store.view();
            expect(readAll(after)).toEqual(await dump(store));
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});
