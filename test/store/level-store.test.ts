import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex, utf8Bytes } from '../../src/lib/index.ts';
import type { LogIndex, NodeId } from '../../src/raft/index.ts';
import type { Store, Write } from '../../src/store/index.ts';
import {
  commandAt,
  commit,
  dump,
  entryAt,
  members,
  open,
  put,
  read,
  remove,
  removeRange,
  rev,
  tempDirectory,
} from './harness.ts';

const never = new AbortController().signal;

describe('a transaction', () => {
  it('is seen by reads as soon as apply returns, with its log index as revision', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    expect(commit(store, { writes: [put('a', '1')] })).toEqual({
      kind: 'committed',
      revision: 1,
      replayed: false,
      receipt: undefined,
    });
    using view = store.view();
    expect(view.get(utf8Bytes('a'))).toEqual({ value: utf8Bytes('1'), revision: 1 });
    expect(view.get(utf8Bytes('b'))).toBeUndefined();
  });

  it('is refused, and changes nothing, when a key it read has changed', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    commit(store, { writes: [put('a', '1')] });
    const read1 = [{ key: utf8Bytes('a'), revision: rev(1) }];
    expect(commit(store, { reads: read1, writes: [put('a', '2')] }).kind).toBe('committed');
    const refused = commit(store, { reads: read1, writes: [put('a', '3'), put('b', '3')] });
    expect(refused).toEqual({ kind: 'conflict', key: utf8Bytes('a') });
    expect(await dump(store)).toEqual(['a=2@2']);
    const absent = [{ key: utf8Bytes('b'), revision: rev(0) }];
    expect(commit(store, { reads: absent, writes: [put('b', '4')] }).kind).toBe('committed');
    expect(commit(store, { reads: absent, writes: [put('b', '5')] }).kind).toBe('conflict');
  });

  it('is refused when a listed range changed: by a put, a delete, or a range delete', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    const listed = (revision: number) => [
      { start: utf8Bytes('d/'), end: utf8Bytes('d0'), revision: rev(revision) },
    ];
    commit(store, { writes: [put('d/a', '1'), put('e', '1')] });
    commit(store, { writes: [put('e', '2')] });
    expect(commit(store, { rangeReads: listed(1), writes: [put('x', '')] }).kind).toBe('committed');
    commit(store, { writes: [put('d/b', '2')] });
    expect(commit(store, { rangeReads: listed(3), writes: [put('x', '')] }).kind).toBe('conflict');
    commit(store, { writes: [remove('d/b')] });
    expect(commit(store, { rangeReads: listed(5), writes: [put('x', '')] }).kind).toBe('conflict');
    commit(store, { writes: [removeRange('a', 'z')] });
    expect(commit(store, { rangeReads: listed(7), writes: [put('x', '')] }).kind).toBe('conflict');
    expect(commit(store, { rangeReads: listed(9), writes: [put('x', '')] }).kind).toBe('committed');
  });

  it('is refused when its range read is older than the remembered changes', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path, { history: { changeRevisions: 3 } });
    for (let i = 0; i < 5; i++) commit(store, { writes: [put('k', `${i}`)] });
    const rangeReads = [{ start: utf8Bytes('x'), end: utf8Bytes('y'), revision: rev(1) }];
    expect(commit(store, { rangeReads, writes: [put('z', '')] }).kind).toBe('conflict');
  });

  it('with a known request id returns the first result, also after a restart', async () => {
    await using directory = await tempDirectory();
    const tx = { requestId: new Uint8Array(16).fill(7), receipt: utf8Bytes('version 1') };
    {
      await using store = await open(directory.path);
      commit(store, { ...tx, writes: [put('a', '1')] });
      const again = commit(store, { ...tx, writes: [put('a', 'other')] });
      expect(again).toMatchObject({ kind: 'committed', revision: 1, replayed: true });
    }
    await using store = await open(directory.path);
    const later = commit(store, { ...tx, writes: [put('a', 'other')] });
    expect(later).toEqual({
      kind: 'committed',
      revision: 1,
      replayed: true,
      receipt: utf8Bytes('version 1'),
    });
    expect(store.receiptOf(tx.requestId)?.revision).toBe(1);
    expect(read(store, 'a')).toBe('1');
  });

  it('that conflicted may be tried again under the same request id', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    const requestId = new Uint8Array(16).fill(1);
    const stale = [{ key: utf8Bytes('a'), revision: rev(9) }];
    expect(commit(store, { requestId, reads: stale, writes: [put('a', '1')] }).kind).toBe(
      'conflict',
    );
    expect(commit(store, { requestId, writes: [put('a', '2')] })).toMatchObject({
      kind: 'committed',
      revision: 2,
      replayed: false,
    });
  });

  it('forgets a request id after a fixed number of entries', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path, { history: { requestRevisions: 4 } });
    const requestId = new Uint8Array(16).fill(1);
    commit(store, { requestId, writes: [put('a', '1')] });
    for (let i = 0; i < 3; i++) store.apply([entryAt(store.revision + 1, 'empty')], members);
    expect(commit(store, { requestId, writes: [] })).toMatchObject({ replayed: true });
    expect(commit(store, { requestId, writes: [put('a', '2')] })).toMatchObject({
      replayed: false,
      revision: 6,
    });
  });

  it('rewraps a value without changing its revision or deadline, and tells no watcher', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path, { watchWindow: { progressMs: 0 } });
    commit(store, { writes: [put('a', 'old', 50)] });
    const rewrap: Write = { kind: 'rewrap', key: utf8Bytes('a'), value: utf8Bytes('new') };
    const absent: Write = { kind: 'rewrap', key: utf8Bytes('b'), value: utf8Bytes('new') };
    commit(store, { writes: [rewrap, absent] });
    expect(await dump(store)).toEqual(['a=new@1']);
    expect(await store.expired(60, 5)).toHaveLength(1);
    const end = new AbortController();
    const told: unknown[] = [];
    for await (const batch of store.watch(utf8Bytes(''), rev(1), end.signal)) {
      told.push(...batch.map(({ kind, revision }) => `${kind} ${revision}`));
      if (batch[0]?.kind === 'progress') end.abort();
    }
    expect(told).toEqual(['put 1', 'progress 2']);
    await store.verify(never);
  });
});

describe('a malformed entry', () => {
  it('changes nothing but the applied index and the digest', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    const before = hex(store.digest().digest);
    const results = store.apply([entryAt(1, 'command', utf8Bytes('junk'))], members);
    expect(results).toEqual([{ kind: 'conflict', key: new Uint8Array() }]);
    expect(store.revision).toBe(1);
    expect(hex(store.digest().digest)).not.toBe(before);
  });
});

describe('a view', () => {
  it('keeps seeing its revision while writes, range deletes and flushes go on', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    commit(store, { writes: [put('a', '1'), put('b', '1')] });
    await store.persist(1 as LogIndex);
    using view = store.view();
    commit(store, { writes: [put('a', '2'), put('c', '2')] });
    await store.persist(2 as LogIndex);
    commit(store, { writes: [removeRange('a', 'z')] });
    await store.persist(3 as LogIndex);
    expect(Buffer.from(view.get(utf8Bytes('a'))?.value ?? []).toString()).toBe('1');
    expect(view.get(utf8Bytes('c'))).toBeUndefined();
    const range = { start: utf8Bytes('a'), end: utf8Bytes('z'), limit: 10 };
    expect((await view.range(range)).map(({ key }) => Buffer.from(key).toString())).toEqual([
      'a',
      'b',
    ]);
    expect(await dump(store)).toEqual([]);
  });

  it('pages through a range forwards and backwards, over memory and disk together', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    const keys = Array.from({ length: 40 }, (_, i) => `k${String(i).padStart(2, '0')}`);
    commit(store, { writes: keys.filter((_, i) => i % 2 === 0).map((key) => put(key, key)) });
    await store.persist(1 as LogIndex);
    commit(store, { writes: keys.filter((_, i) => i % 2 === 1).map((key) => put(key, key)) });
    using view = store.view();
    const range = { start: utf8Bytes('k'), end: utf8Bytes('l'), limit: 7 };
    const found: string[] = [];
    let start = range.start;
    for (;;) {
      const page = await view.range({ ...range, start });
      const last = page.at(-1);
      if (last === undefined) break;
      found.push(...page.map(({ key }) => Buffer.from(key).toString()));
      start = Buffer.concat([last.key, Buffer.from([0])]);
    }
    expect(found).toEqual(keys);
    const back = await view.range({ ...range, limit: 100, reverse: true, keysOnly: true });
    expect(back.map(({ key }) => Buffer.from(key).toString())).toEqual([...keys].reverse());
    expect(back[0]?.value).toHaveLength(0);
  });
});

describe('the expiry index', () => {
  it('lists keys by deadline, and follows puts, deletes and range deletes', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    commit(store, {
      writes: [put('a', '', 300), put('b', '', 100), put('c', '', 200), put('d', '', 900)],
    });
    const names = async (nowMs: number, limit = 10) =>
      (await store.expired(nowMs, limit)).map(({ key }) => Buffer.from(key).toString());
    expect(await names(300)).toEqual(['b', 'c', 'a']);
    expect(await names(300, 1)).toEqual(['b']);
    expect(await names(99)).toEqual([]);
    commit(store, { writes: [put('b', '', 250), put('c', '')] });
    expect(await names(300)).toEqual(['b', 'a']);
    commit(store, { writes: [remove('b')] });
    commit(store, { writes: [removeRange('d', 'e')] });
    expect(await names(999)).toEqual(['a']);
    await store.verify(never);
  });
});

describe('the state on disk', () => {
  it('is exactly what was applied at its applied index, after any restart', async () => {
    await using directory = await tempDirectory();
    const changed = { voters: [1 as NodeId, 2 as NodeId], learners: [3 as NodeId], removed: [] };
    let digest: string;
    {
      await using store = await open(directory.path);
      commit(store, { writes: [put('a', '1')] });
      store.apply([entryAt(2, 'empty'), entryAt(3, 'membership')], changed);
      digest = hex(store.digest().digest);
    }
    await using store = await open(directory.path);
    expect(store.applied()).toEqual({ index: 3, term: 1, membership: changed });
    expect(hex(store.digest().digest)).toBe(digest);
    expect(await dump(store)).toEqual(['a=1@1']);
  });

  it('goes on with range deletes that were under way', async () => {
    await using directory = await tempDirectory();
    {
      await using store = await open(directory.path);
      commit(store, { writes: [put('a', '1'), put('b', '1', 5)] });
      commit(store, { writes: [removeRange('a', 'z'), put('b', '2', 5)] });
    }
    await using store = await open(directory.path);
    expect(await dump(store)).toEqual(['b=2@2']);
    expect(await store.verify(never)).toEqual({ records: 1 });
  });
});

type Step =
  | { readonly kind: 'tx'; readonly writes: readonly Write[] }
  | { readonly kind: 'persist' };

const keyArbitrary = fc.constantFrom('a', 'ab', 'b', 'ba', 'c', 'd');
const writeArbitrary: fc.Arbitrary<Write> = fc.oneof(
  fc.tuple(keyArbitrary, fc.string({ maxLength: 3 })).map(([key, value]) => put(key, value)),
  keyArbitrary.map(remove),
  fc
    .tuple(keyArbitrary, keyArbitrary)
    .map(([a, b]) => (a < b ? removeRange(a, b) : removeRange(b, a))),
);
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .array(writeArbitrary, { maxLength: 4 })
      .map((writes): Step => ({ kind: 'tx', writes })),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'persist' }) },
);

function byKey(a: string, b: string): number {
  const key = (line: string) => line.slice(0, line.indexOf('='));
  return Buffer.compare(Buffer.from(key(a)), Buffer.from(key(b)));
}

function applyToModel(
  model: Map<string, string>,
  writes: readonly Write[],
  revision: number,
): void {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  for (const write of writes) {
    if (write.kind === 'put') {
      model.set(text(write.key), `${text(write.key)}=${text(write.value)}@${revision}`);
    } else if (write.kind === 'delete') {
      model.delete(text(write.key));
    } else if (write.kind === 'delete-range') {
      for (const key of Array.from(model.keys())) {
        if (key >= text(write.start) && key < text(write.end)) model.delete(key);
      }
    }
  }
}

describe('any history of transactions', () => {
  it('leaves what a plain map would hold, whatever was flushed when, and after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 25 }), async (steps) => {
        await using directory = await tempDirectory();
        const model = new Map<string, string>();
        const expected = () => [...model.values()].sort(byKey);
        let digest: string;
        {
          await using store = await open(directory.path);
          for (const step of steps) {
            if (step.kind === 'persist') {
              await store.persist(store.revision as number as LogIndex);
              continue;
            }
            commit(store, { writes: step.writes });
            applyToModel(model, step.writes, store.revision);
            expect(await dump(store)).toEqual(expected());
          }
          digest = hex(store.digest().digest);
        }
        await using store = await open(directory.path);
        expect(await dump(store)).toEqual(expected());
        expect(await store.verify(never)).toBeDefined();
        expect(hex(store.digest().digest)).toBe(digest);
      }),
      { numRuns: 60 },
    );
  }, 30_000);

  it('gives the same digest however its entries are put into batches', async () => {
    const entries = Array.from({ length: 20 }, (_, i) =>
      commandAt(i + 1, { writes: [put(`k${i % 5}`, `${i}`)] }),
    );
    const run = async (sizes: readonly number[]): Promise<string> => {
      await using directory = await tempDirectory();
      await using store: Store = await open(directory.path);
      let at = 0;
      for (const size of sizes) store.apply(entries.slice(at, (at += size)), members);
      return hex(store.digest().digest);
    };
    const whole = await run([20]);
    expect(await run([1, 2, 3, 4, 10])).toBe(whole);
    expect(await run([19, 1])).toBe(whole);
    expect(await run([19])).not.toBe(whole);
  });
});
