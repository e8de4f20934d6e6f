import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { describe, expect, it } from 'vitest';
import { hex } from '../../src/lib/index.ts';
import { decodeData, encodeData } from '../../src/store/codec/records.ts';
import { dataKey } from '../../src/store/disk/places.ts';
import type { Revision, StateContent, Store } from '../../src/store/index.ts';
import { commandAt, commit, members, open, put, removeRange, tempDirectory } from './harness.ts';

const never = new AbortController().signal;
const contentNow = (store: Store) => store.contentAt(store.revision, never);

/** Writes another value under a key, with a checksum that fits: nothing in the record tells. */
async function alter(directory: string, key: string): Promise<void> {
  const live = (await readFile(join(directory, 'current'), 'utf8')).trim();
  const db = new ClassicLevel<Buffer, Buffer>(join(directory, live), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  const place = dataKey(Buffer.from(key));
  const bytes = await db.get(place);
  if (bytes === undefined) throw new Error(`There is no record ${key}`);
  const altered = encodeData(place, { ...decodeData(place, bytes), value: Buffer.from('altered') });
  await db.put(place, Buffer.from(altered), { sync: true });
  await db.close();
}

describe('the content of the state', () => {
  it('has one digest on all nodes at one revision, whatever batches and files they have', async () => {
    await using first = await tempDirectory();
    await using second = await tempDirectory();
    await using one = await open(first.path);
    await using other = await open(second.path, { flush: { layerKeys: 1 } });
    const entries = [
      commandAt(1, { writes: [put('a', '1', 50), put('b', '1'), put('c', '1')] }),
      commandAt(2, { writes: [removeRange('b', 'c')] }),
      commandAt(3, { writes: [put('a', '2')] }),
    ];
    for (const entry of entries) one.apply([entry], members);
    other.apply(entries, members);
    const [a, b] = [await contentNow(one), await contentNow(other)];
    expect(a.records).toBe(2);
    expect(hex(a.digest)).toBe(hex(b.digest));
  });

  it('is read as it was at a revision in the midst of a batch', async () => {
    await using first = await tempDirectory();
    await using second = await tempDirectory();
    await using alone = await open(first.path);
    await using batched = await open(second.path);
    const entries = [1, 2, 3].map((index) =>
      commandAt(index, { writes: index === 3 ? [removeRange('k', 'l')] : [put('k', `${index}`)] }),
    );
    const [head] = entries;
    if (head === undefined) throw new Error('No entry');
    alone.apply([head], members);
    const wanted = await contentNow(alone);
    let found: Promise<StateContent> | undefined;
    batched.onApplied(() => {
      found ??= batched.contentAt(1 as Revision, never);
    });
    batched.apply(entries, members);
    expect(await found).toEqual(wanted);
  });

  it('differs when a record was altered together with its checksum, which nothing else tells', async () => {
    await using directory = await tempDirectory();
    let before: StateContent;
    let running: string;
    {
      await using store = await open(directory.path);
      commit(store, { writes: [put('a', '1'), put('b', '1')] });
      before = await contentNow(store);
      running = hex(store.digest().digest);
    }
    await alter(directory.path, 'a');
    await using store = await open(directory.path);
    await store.verify(never);
    expect(hex(store.digest().digest)).toBe(running);
    const after = await contentNow(store);
    expect(after.records).toBe(before.records);
    expect(hex(after.digest)).not.toBe(hex(before.digest));
  });

  it('is read in slices, with a pause after each', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    commit(store, { writes: Array.from({ length: 600 }, (_, i) => put(`k${i}`, 'v')) });
    await store.persist(store.applied().index);
    const pages: number[] = [];
    await store.contentAt(store.revision, never, async (records) => void pages.push(records));
    expect(pages.filter((size) => size > 1).length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...pages)).toBeLessThanOrEqual(256);
  });
});

describe('a damaged record', () => {
  it('that a reader meets is told once to whoever keeps the node in service', async () => {
    await using directory = await tempDirectory();
    {
      await using store = await open(directory.path);
      commit(store, { writes: [put('a', '1')] });
    }
    const live = (await readFile(join(directory.path, 'current'), 'utf8')).trim();
    const db = new ClassicLevel<Buffer, Buffer>(join(directory.path, live), {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
    });
    await db.put(dataKey(Buffer.from('a')), Buffer.from('no such record'), { sync: true });
    await db.close();
    const told: unknown[] = [];
    await using store = await open(directory.path, { onFailed: (error) => void told.push(error) });
    using view = store.view();
    expect(() => view.get(Buffer.from('a'))).toThrowError(/checksum/);
    expect(() => view.get(Buffer.from('a'))).toThrowError(/checksum/);
    expect(told).toMatchObject([{ code: 'store.corrupt' }]);
  });
});
