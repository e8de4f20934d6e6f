import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeNamedFolder, readNamedFile } from '../../../src/server/config/named-files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a data directory', () => {
  it('is made with the folders above it, for its owner alone, and may be there', async () => {
    const path = join(folder, 'a', 'b');
    await makeNamedFolder(path, 'data directory');
    await makeNamedFolder(path, 'data directory');
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  it.each([
    ['below a file', () => join(folder, 'file', 'data'), 'EEXIST'],
    ['that is a file', () => join(folder, 'file'), 'no folder'],
    ['where nobody can make folders', () => '/proc/strongroom-data', 'ENOENT'],
  ])('%s is refused, with the reason', async (_where, path, reason) => {
    await writeFile(join(folder, 'file'), '');
    await expect(makeNamedFolder(path(), 'data directory')).rejects.toMatchObject({
      code: 'config.invalid',
      message: expect.stringContaining(reason),
    });
  });
});

describe('a file that the configuration names', () => {
  it('is refused when it cannot be read, saying what it is', async () => {
    await expect(readNamedFile(join(folder, 'none'), 'the join token')).rejects.toMatchObject({
      code: 'config.unreadable',
      message: expect.stringMatching(/the join token in .*none: ENOENT/),
    });
    await writeFile(join(folder, 'token'), 'srj.x\n');
    expect(await readNamedFile(join(folder, 'token'), 'the join token')).toBe('srj.x\n');
  });
});
