import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex, utf8Bytes } from '../../src/lib/index.ts';
import type { LogIndex } from '../../src/raft/index.ts';
import { ByteWriter } from '../../src/store/codec/byte-writer.ts';
import { encodeHistory } from '../../src/store/codec/history-block.ts';
import { sealRecord } from '../../src/store/codec/records.ts';
import { firstDigest } from '../../src/store/digest.ts';
import { keyText, Layer } from '../../src/store/disk/layer.ts';
import { LevelDisk } from '../../src/store/disk/level-disk.ts';
import { historyKey } from '../../src/store/disk/places.ts';
import { StateDirectory } from '../../src/store/disk/state-directory.ts';
import type { Store } from '../../src/store/index.ts';
import { commit, members, open, put, rev, tempDirectory } from './harness.ts';

const REMEMBERED = 70;
const options = { history: { requestRevisions: REMEMBERED, changeRevisions: 20 } };
const never = new AbortController().signal;

const requestId = (revision: number) => {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(0, revision);
  return id;
};
/** Some are so large that a block is full before it has its number of revisions. */
const receipt = (revision: number) =>
  new Uint8Array(revision % 9 === 0 ? 16_000 : 5).fill(revision);

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('requests'), count: fc.nat(25) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('without id'), count: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('persist'), count: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart'), count: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('snapshot'), count: fc.constant(0) }) },
);

async function snapshotOf(store: Store) {
  await using snapshot = await store.openSnapshot();
  const chunks: Uint8Array[] = [];
  for await (const chunk of snapshot.chunks()) chunks.push(Uint8Array.from(chunk));
  return { meta: snapshot.meta, chunks };
}

async function* each(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

function apply(store: Store, withId: boolean): void {
  const revision = store.revision + 1;
  const writes = [put(`key ${revision % 7}`, `${revision}`)];
  commit(store, {
    writes,
    ...(withId ? { requestId: requestId(revision), receipt: receipt(revision) } : {}),
  });
}

/** Compared as text: the receipts are long. */
const told = (former: ReturnType<Store['receiptOf']>) =>
  former && `${former.revision} ${Buffer.from(former.receipt ?? []).toString('base64')}`;

function expectRemembered(store: Store, ids: ReadonlySet<number>): void {
  for (const revision of ids) {
    const former = told(store.receiptOf(requestId(revision)));
    const isForgotten = revision <= store.revision - REMEMBERED;
    const wanted = { revision: rev(revision), receipt: receipt(revision) };
    expect(former).toBe(isForgotten ? undefined : told(wanted));
  }
}

describe('what transactions leave behind', () => {
  it('is remembered for its number of entries, and is the same in a snapshot, whatever was persisted, restarted or installed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        await using calm = await tempDirectory();
        await using reference = await open(calm.path, options);
        let directory = await tempDirectory();
        let store = await open(directory.path, options);
        const ids = new Set<number>();
        try {
          for (const { kind, count } of steps) {
            for (let left = count; left > 0; left--) {
              const withId = kind === 'requests';
              if (withId) ids.add(store.revision + 1);
              apply(store, withId);
              apply(reference, withId);
            }
            if (kind === 'persist') await store.persist(store.revision as number as LogIndex);
            if (kind === 'restart') {
              await store[Symbol.asyncDispose]();
              store = await open(directory.path, options);
            }
            if (kind === 'snapshot' && store.revision > 0) {
              const { meta, chunks } = await snapshotOf(store);
              await store[Symbol.asyncDispose]();
              await directory[Symbol.asyncDispose]();
              directory = await tempDirectory();
              store = await open(directory.path, options);
              await store.installSnapshot(meta, each(chunks));
            }
            expectRemembered(store, ids);
          }
          await store.verify(never);
          const mine = await snapshotOf(store);
          const theirs = await snapshotOf(reference);
          expect(mine.chunks.map(hex)).toEqual(theirs.chunks.map(hex));
        } finally {
          await store[Symbol.asyncDispose]();
          await directory[Symbol.asyncDispose]();
        }
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  it('is on disk with the entry that left it: a range read after a restart meets the change', async () => {
    await using directory = await tempDirectory();
    {
      await using store = await open(directory.path, options);
      for (let i = 0; i < 3; i++) apply(store, true);
    }
    await using store = await open(directory.path, options);
    const range = { start: utf8Bytes('key '), end: utf8Bytes('key z') };
    const reading = (revision: number) => ({
      rangeReads: [{ ...range, revision: rev(revision) }],
      writes: [put('other', '')],
    });
    expect(commit(store, reading(2)).kind).toBe('conflict');
    expect(commit(store, reading(4)).kind).toBe('committed');
  });

  it('is read from a state of the former format, in which each had a record of its own', async () => {
    await using directory = await tempDirectory();
    const home = await StateDirectory.open(directory.path);
    const { disk } = await LevelDisk.open(home.live);
    const layer = new Layer();
    for (const revision of [1, 2, 3]) {
      const place = historyKey(revision);
      const record = {
        requestId: requestId(revision),
        receipt: receipt(revision),
        keys: [],
        ranges: [],
      };
      const bytes = sealRecord(place, new ByteWriter().u8(1).raw(encodeHistory(record)));
      layer.put(keyText(place), place, revision, bytes.slice());
    }
    const meta = { index: 3, term: 1, membership: members, digest: firstDigest };
    await disk.write(layer, { ...meta, records: 0, changeFloor: 0 });
    await disk.close();
    await using store = await open(directory.path, options);
    const ids = new Set([1, 2, 3]);
    expectRemembered(store, ids);
    for (let left = REMEMBERED; left > 0; left--) {
      ids.add(store.revision + 1);
      apply(store, true);
      expectRemembered(store, ids);
    }
    await store.verify(never);
  });
});
