import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hex, utf8Bytes } from '../../../src/lib/index.ts';
import type { SnapshotMeta } from '../../../src/raft/index.ts';
import type { Store } from '../../../src/store/index.ts';
import {
  commit,
  dump,
  members,
  open,
  put,
  read,
  removeRange,
  rev,
  tempDirectory,
} from '../harness.ts';

const never = new AbortController().signal;

async function* from(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function snapshotOf(store: Store): Promise<{ meta: SnapshotMeta; chunks: Uint8Array[] }> {
  await using snapshot = await store.openSnapshot();
  const chunks: Uint8Array[] = [];
  for await (const chunk of snapshot.chunks()) chunks.push(Uint8Array.from(chunk));
  return { meta: snapshot.meta, chunks };
}

function fill(store: Store): void {
  commit(store, {
    requestId: new Uint8Array(16).fill(1),
    receipt: utf8Bytes('first'),
    writes: [put('a', '1', 100), put('gone', '1')],
  });
  commit(store, { writes: [put('b', 'x'.repeat(300_000)), put('c', 'y'.repeat(700_000))] });
  commit(store, { writes: [removeRange('g', 'h')] });
}

describe('a snapshot', () => {
  it('carries state, request ids, deadlines and digest over to another store', async () => {
    await using directories = {
      a: await tempDirectory(),
      b: await tempDirectory(),
      ...disposable(),
    };
    await using source = await open(directories.a.path);
    fill(source);
    const { meta, chunks } = await snapshotOf(source);
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(256 * 1024);
    await using target = await open(directories.b.path);
    commit(target, { writes: [put('old', '1')] });
    await target.installSnapshot(meta, from(chunks));
    expect(target.applied()).toEqual({ index: 3, term: 1, membership: members });
    expect(await dump(target)).toEqual(await dump(source));
    expect(hex(target.digest().digest)).toBe(hex(source.digest().digest));
    expect(await target.verify(never)).toEqual({ records: 3 });
    expect(await target.expired(100, 5)).toHaveLength(1);
    // From here on both decide alike.
    const retry = { requestId: new Uint8Array(16).fill(1), writes: [put('a', '9')] };
    expect(commit(target, retry)).toEqual(commit(source, retry));
    const range = [{ start: utf8Bytes('a'), end: utf8Bytes('z'), revision: rev(2) }];
    const late = { rangeReads: range, writes: [put('z', '')] };
    expect(commit(target, late)).toEqual(commit(source, late));
    expect(hex(target.digest().digest)).toBe(hex(source.digest().digest));
  });

  it('is of one moment, whatever is written while it is read', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    fill(store);
    const before = await snapshotOf(store);
    await using snapshot = await store.openSnapshot();
    const chunks: Uint8Array[] = [];
    for await (const chunk of snapshot.chunks()) {
      chunks.push(Uint8Array.from(chunk));
      commit(store, { writes: [put('a', 'later'), removeRange('b', 'c')] });
    }
    expect(chunks.map(hex)).toEqual(before.chunks.map(hex));
  });

  it('is refused, with the old state untouched, when any of it is damaged, missing or moved', async () => {
    await using directories = {
      a: await tempDirectory(),
      b: await tempDirectory(),
      ...disposable(),
    };
    await using source = await open(directories.a.path);
    fill(source);
    const { meta, chunks } = await snapshotOf(source);
    await using target = await open(directories.b.path);
    commit(target, { writes: [put('old', '1')] });
    const flipped = (at: number, bit: number): Uint8Array[] =>
      chunks.map((chunk, number) => {
        if (number !== at % chunks.length) return chunk;
        const copy = Uint8Array.from(chunk);
        const place = (at * 7919) % copy.length;
        copy[place] = (copy[place] ?? 0) ^ (1 << bit);
        return copy;
      });
    const damaged: Uint8Array[][] = [
      chunks.slice(0, -1),
      chunks.slice(1),
      [],
      [...chunks, chunks.at(-1) ?? new Uint8Array()],
      chunks.filter((_, at) => at !== 2),
      [...chunks.slice(0, 1), ...chunks.slice(1, -1).reverse(), ...chunks.slice(-1)],
      ...Array.from({ length: 24 }, (_, at) => flipped(at, at % 8)),
    ];
    for (const bad of damaged) {
      await expect(target.installSnapshot(meta, from(bad))).rejects.toMatchObject({
        code: 'store.snapshot-invalid',
      });
    }
    const wrongMeta = { ...meta, index: (meta.index + 1) as typeof meta.index };
    await expect(target.installSnapshot(wrongMeta, from(chunks))).rejects.toMatchObject({
      code: 'store.snapshot-invalid',
    });
    expect(await dump(target)).toEqual(['old=1@1']);
    expect(await readdir(directories.b.path)).toHaveLength(2);
    await target.installSnapshot(meta, from(chunks));
    expect(read(target, 'a')).toBe('1');
  });

  it('whose stream breaks off passes the failure on and leaves the old state', async () => {
    await using directories = {
      a: await tempDirectory(),
      b: await tempDirectory(),
      ...disposable(),
    };
    await using source = await open(directories.a.path);
    fill(source);
    const { meta, chunks } = await snapshotOf(source);
    await using target = await open(directories.b.path);
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield* chunks.slice(0, 2);
      throw new Error('connection lost');
    }
    await expect(target.installSnapshot(meta, breaking())).rejects.toMatchObject({
      code: 'store.snapshot-invalid',
    });
    expect(target.revision).toBe(0);
  });

  it('does not replace a newer state', async () => {
    await using directory = await tempDirectory();
    await using store = await open(directory.path);
    fill(store);
    const { meta, chunks } = await snapshotOf(store);
    await expect(store.installSnapshot(meta, from(chunks))).rejects.toMatchObject({
      code: 'store.snapshot-invalid',
    });
  });

  it('tells caches and watchers, and leaves open views readable', async () => {
    await using directories = {
      a: await tempDirectory(),
      b: await tempDirectory(),
      ...disposable(),
    };
    await using source = await open(directories.a.path);
    fill(source);
    const { meta, chunks } = await snapshotOf(source);
    await using target = await open(directories.b.path);
    commit(target, { writes: [put('old', '1')] });
    const told: unknown[] = [];
    target.onApplied((keys, revision, ranges) => told.push([keys.length, revision, ranges.length]));
    const watching = (async () => {
      for await (const _ of target.watch(utf8Bytes('zzz'), rev(2), never)) continue;
    })();
    const failed = watching.catch((error: unknown) => error);
    using view = target.view();
    const applied = target.whenApplied(rev(3), never);
    await target.installSnapshot(meta, from(chunks));
    await applied;
    expect(await failed).toMatchObject({ code: 'store.compacted' });
    expect(told).toEqual([[0, 3, 1]]);
    expect(view.get(utf8Bytes('old'))).toBeDefined();
    expect(view.get(utf8Bytes('a'))).toBeUndefined();
  });

  it('left half-made by a crash, before or after the switch, does no harm', async () => {
    await using directories = {
      a: await tempDirectory(),
      b: await tempDirectory(),
      ...disposable(),
    };
    const path = directories.b.path;
    {
      await using store = await open(path);
      commit(store, { writes: [put('old', '1')] });
    }
    // Crashed while staging, and while writing the pointer.
    await mkdir(join(path, 'state-2'));
    await writeFile(join(path, 'state-2', '000003.log'), 'half');
    await writeFile(join(path, 'current.new'), 'state-2');
    {
      await using store = await open(path);
      expect(await dump(store)).toEqual(['old=1@1']);
      expect((await readdir(path)).sort()).toEqual(['current', 'state-1']);
      await using source = await open(directories.a.path);
      fill(source);
      const { meta, chunks } = await snapshotOf(source);
      await store.installSnapshot(meta, from(chunks));
    }
    // Crashed after the switch, before the old state was removed.
    await mkdir(join(path, 'state-1'), { recursive: true });
    await using store = await open(path);
    expect(store.revision).toBe(3);
    expect(read(store, 'a')).toBe('1');
    expect(await readdir(path)).toHaveLength(2);
  });
});

/** Disposes what stands beside it, last first. */
function disposable(): AsyncDisposable {
  return {
    async [Symbol.asyncDispose](this: object) {
      for (const part of Object.values(this) as AsyncDisposable[])
        await part[Symbol.asyncDispose]();
    },
  };
}
