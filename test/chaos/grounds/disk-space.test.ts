import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DiskSpace, missingForFullDisk } from '../../../chaos/grounds/processes/disk-space.ts';

const missing = missingForFullDisk();
if (missing !== undefined) console.warn(`Full disks are not tested: ${missing}`);

describe.skipIf(missing !== undefined)('a disk of its own', () => {
  let folder: string;
  const space = new DiskSpace();
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-space-'));
    await space.mount('a', join(folder, 'a'));
  });
  afterAll(() => {
    space.unmountAll();
    rmSync(folder, { recursive: true });
  });
  const write = (bytes: number) => writeFileSync(join(folder, 'a', 'file'), Buffer.alloc(bytes));

  test('takes no more than it is left, until every layer that limits it is lifted', async () => {
    write(100_000);
    await space.limit('one', ['a'], 0);
    await space.limit('two', ['a'], 64 * 1024);
    expect(() => write(400_000)).toThrow('ENOSPC');
    await space.unlimit('one');
    write(50_000);
    expect(() => write(400_000)).toThrow('ENOSPC');
    await space.unlimit('two');
    await space.unlimit('two');
    write(400_000);
  });

  test('is left alone by a limit that is none, or of another node', async () => {
    for (const free of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      await expect(space.limit('bad', ['a'], free)).rejects.toThrow(RangeError);
    await expect(space.limit('bad', ['b'], 0)).rejects.toThrow('is not one of ours');
    await space.unlimit('never');
    write(400_000);
  });

  test('is given back once, and giving it back again does nothing', () => {
    expect(space.unmountAll()).toEqual(['a']);
    expect(space.unmountAll()).toEqual([]);
  });
});
