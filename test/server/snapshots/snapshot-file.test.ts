import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toFile, verifySnapshotFile } from '../../../src/server/snapshots/snapshot-file.ts';
import type { Store } from '../../../src/store/index.ts';
import { commit, open, put, tempDirectory } from '../../store/harness.ts';

let directory: Awaited<ReturnType<typeof tempDirectory>>;
let file: Buffer;
/** Where the store's own chunks begin: what is before says only whose the file is. */
let contentAt: number;

beforeEach(async () => {
  directory = await tempDirectory();
  await using store = await open(directory.path);
  commit(store, { writes: [put('a', 'one'), put('b', 'two')] });
  file = await saved(store);
  contentAt = file.indexOf('}}') + 2;
});
afterEach(() => directory[Symbol.asyncDispose]());

async function saved(store: Store): Promise<Buffer> {
  await using snapshot = await store.openSnapshot();
  const { index, term, membership } = snapshot.meta;
  const { voters, learners, removed } = membership;
  const header = {
    clusterId: 'c',
    takenAtMs: 1,
    index,
    term,
    membership: { voters: [...voters], learners: [...learners], removed: [...removed] },
  };
  const parts: Uint8Array[] = [];
  for await (const part of toFile(header, snapshot.chunks())) parts.push(part);
  return Buffer.concat(parts);
}

async function verdictOn(bytes: Uint8Array): Promise<string> {
  async function* parts() {
    yield bytes;
  }
  return verifySnapshotFile(parts()).then(
    ({ header }) => `ok ${header.clusterId}`,
    (error: unknown) => String((error as { code: string }).code),
  );
}

describe('a snapshot file that is looked at without a cluster', () => {
  it('is told whose it is when it is whole', async () => {
    expect(await verdictOn(file)).toBe('ok c');
  });

  it('is refused with any byte of its content changed', async () => {
    for (let at = contentAt; at < file.length; at++) {
      const changed = Buffer.from(file);
      changed.writeUInt8(changed.readUInt8(at) ^ 0x10, at);
      expect(await verdictOn(changed), `byte ${at}`).toBe('store.snapshot-invalid');
    }
  });

  it('is refused wherever it was cut off, and with something after its end', async () => {
    for (let at = 0; at < file.length; at++) {
      expect(await verdictOn(file.subarray(0, at)), `cut at ${at}`).toBe('store.snapshot-invalid');
    }
    expect(await verdictOn(Buffer.concat([file, Buffer.of(0)]))).toBe('store.snapshot-invalid');
  });
});
