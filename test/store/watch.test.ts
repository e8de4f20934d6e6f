import { setMaxListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8Bytes } from '../../src/lib/index.ts';
import type { LogIndex } from '../../src/raft/index.ts';
import type { Store, WatchEvent, Write } from '../../src/store/index.ts';
import { commit, open, put, remove, removeRange, rev, tempDirectory } from './harness.ts';

const never = new AbortController().signal;
setMaxListeners(0, never);

function line(event: WatchEvent): string {
  if (event.kind === 'progress') return `progress @${event.revision}`;
  const key = Buffer.from(event.key).toString();
  const value = event.kind === 'put' ? `=${Buffer.from(event.value).toString()}` : '';
  return `${event.kind} ${key}${value} @${event.revision}`;
}

/** Everything that is told until the watch has seen `upTo`. */
async function collect(
  store: Store,
  prefix: string,
  from: number,
  upTo: number,
): Promise<string[]> {
  const end = new AbortController();
  const lines: string[] = [];
  for await (const batch of store.watch(utf8Bytes(prefix), rev(from), end.signal)) {
    for (const event of batch) {
      if (event.kind !== 'progress') lines.push(line(event));
      if (event.revision >= upTo) end.abort();
    }
  }
  return lines;
}

const quick = { watchWindow: { progressMs: 0 } };

describe('a watch', () => {
  it('tells the changes below its prefix from its revision on, and how far it is', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path, quick);
    commit(store, { writes: [put('a/1', 'x'), put('b/1', 'x')] });
    commit(store, { writes: [put('a/2', 'y')] });
    commit(store, { writes: [remove('a/1'), remove('a/absent')] });
    commit(store, { writes: [put('b/2', 'z')] });
    expect(await collect(store, 'a/', 1, 4)).toEqual([
      'put a/1=x @1',
      'put a/2=y @2',
      'delete a/1 @3',
    ]);
    expect(await collect(store, 'a/', 3, 4)).toEqual(['delete a/1 @3']);
  });

  it('goes on with what happens after it began', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path, quick);
    const told = collect(store, '', 1, 3);
    for (const value of ['1', '2', '3']) {
      commit(store, { writes: [put('k', value)] });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await told).toEqual(['put k=1 @1', 'put k=2 @2', 'put k=3 @3']);
  });

  it('tells each key that a range delete took, in its place among the changes', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path, quick);
    commit(store, { writes: [put('a', '1'), put('b', '1'), put('c', '1')] });
    commit(store, { writes: [put('b', '2'), removeRange('a', 'c'), put('a', '2')] });
    commit(store, { writes: [put('d', '1')] });
    expect(await collect(store, '', 2, 3)).toEqual(['delete b @2', 'put a=2 @2', 'put d=1 @3']);
  });

  it('is told store.compacted when its revision is older than the window, at once or when slow', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path, {
      watchWindow: { revisions: 5, progressMs: 0 },
    });
    const slow = store.watch(utf8Bytes('k'), rev(1), never)[Symbol.asyncIterator]();
    commit(store, { writes: [put('k', '0')] });
    expect((await slow.next()).value).toHaveLength(1);
    for (let i = 1; i <= 9; i++) commit(store, { writes: [put('k', `${i}`)] });
    await expect(slow.next()).rejects.toMatchObject({ code: 'store.compacted' });
    await expect(collect(store, 'k', 3, 10)).rejects.toMatchObject({ code: 'store.compacted' });
    expect(await collect(store, 'k', 6, 10)).toHaveLength(5);
  });

  it('of a revision before a restart is told store.compacted, never a part of it', async () => {
    await using directory = await tempDirectory();
    {
      await using store = await open(directory.path);
      commit(store, { writes: [put('k', '1')] });
    }
    await using store = await open(directory.path, quick);
    await expect(collect(store, 'k', 1, 1)).rejects.toMatchObject({ code: 'store.compacted' });
    commit(store, { writes: [put('k', '2')] });
    expect(await collect(store, 'k', 2, 2)).toEqual(['put k=2 @2']);
  });

  it('that starts anywhere tells exactly the rest, whatever happens', async () => {
    const key = fc.constantFrom('a', 'ab', 'b', 'ba', 'c');
    const write: fc.Arbitrary<Write> = fc.oneof(
      { weight: 4, arbitrary: fc.tuple(key, fc.constantFrom('1', '2')).map(([k, v]) => put(k, v)) },
      { weight: 2, arbitrary: key.map(remove) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(key, key)
          .map(([x, y]) => (x < y ? removeRange(x, y) : removeRange(y, x))),
      },
    );
    const history = fc.array(fc.array(write, { maxLength: 3 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(history, fc.nat(), async (transactions, start) => {
        await using directory = await tempDirectory();
        await using store = await open(directory.path, quick);
        const last = transactions.length;
        const live = collect(store, 'a', 1, last);
        for (const writes of transactions) {
          commit(store, { writes });
          if (store.revision % 3 === 0) await store.persist(store.revision as number as LogIndex);
        }
        const all = await live;
        const revisions = all.map((text) => Number(text.split('@')[1]));
        expect(revisions).toEqual(revisions.toSorted((x, y) => x - y));
        expect(new Set(all).size).toBe(all.length);
        // Replayed over nothing, the events give the state.
        const replayed = new Map<string, string>();
        const falseDeletes: string[] = [];
        for (const text of all) {
          const [, kind, name, value] = /^(\w+) (\w+)(?:=(\w+))? /.exec(text) ?? [];
          if (kind === 'put') replayed.set(name ?? '', value ?? '');
          else if (!replayed.delete(name ?? '')) falseDeletes.push(text);
        }
        expect(falseDeletes).toEqual([]);
        using view = store.view();
        const entries = await view.range({ start: utf8Bytes('a'), end: utf8Bytes('b'), limit: 99 });
        expect(replayed).toEqual(
          new Map(
            entries.map((entry) => [
              Buffer.from(entry.key).toString(),
              Buffer.from(entry.value).toString(),
            ]),
          ),
        );
        const from = 1 + (start % last);
        expect(await collect(store, 'a', from, last)).toEqual(
          all.filter((text) => Number(text.split('@')[1]) >= from),
        );
      }),
      { numRuns: 50 },
    );
  }, 30_000);
});

describe('waiting for a revision', () => {
  it('ends when it is applied, and with the reason when called off', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    const waiting = store.whenApplied(rev(2), never);
    const stop = new AbortController();
    const calledOff = store.whenApplied(rev(9), stop.signal);
    commit(store, { writes: [put('a', '1')] });
    commit(store, { writes: [put('a', '2')] });
    await waiting;
    stop.abort(new Error('enough'));
    await expect(calledOff).rejects.toThrow('enough');
  });
});
