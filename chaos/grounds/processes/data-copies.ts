import { cp, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../../../src/lib/index.ts';
import type { DataPart } from '../levers.ts';

const nameOfCopy = /^[a-z0-9][a-z0-9-]*$/;

/** What the disks of stopped nodes hold: copies of it, and damage to it. */
export class DataCopies {
  readonly #folder: string;
  readonly #dataDir: (node: string) => string;

  constructor(folder: string, dataDir: (node: string) => string) {
    this.#folder = folder;
    this.#dataDir = dataDir;
  }

  /** Appears whole or not at all, so that a half-made copy is never put back. */
  async keep(node: string, copy: string): Promise<void> {
    const path = this.#pathOf(node, copy);
    await rm(path, { recursive: true, force: true });
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await cp(this.#dataDir(node), `${path}.new`, { recursive: true, preserveTimestamps: true });
    await rename(`${path}.new`, path);
  }

  async putBack(node: string, copy: string): Promise<void> {
    const path = this.#pathOf(node, copy);
    if ((await stat(path).catch(() => undefined)) === undefined) return;
    await empty(this.#dataDir(node));
    await cp(path, this.#dataDir(node), { recursive: true, preserveTimestamps: true });
  }

  async forget(node: string, copy: string): Promise<void> {
    await rm(this.#pathOf(node, copy), { recursive: true, force: true });
  }

  async flipBits(node: string, part: DataPart, bits: number, random: Random): Promise<void> {
    const path = await this.#newest(node, part);
    const { size } = await stat(path);
    await using file = await open(path, 'r+');
    const byte = Buffer.alloc(1);
    for (let count = 0; count < bits; count++) {
      const at = random.below(size);
      await file.read(byte, 0, 1, at);
      byte.writeUInt8(byte.readUInt8() ^ (1 << random.below(8)));
      await file.write(byte, 0, 1, at);
    }
    await file.sync();
  }

  async cutTail(node: string, part: DataPart, bytes: number): Promise<void> {
    const path = await this.#newest(node, part);
    const { size } = await stat(path);
    await using file = await open(path, 'r+');
    await file.truncate(Math.max(0, size - bytes));
    await file.sync();
  }

  /** The file that was written last and holds anything. @throws Error when there is none. */
  async #newest(node: string, part: DataPart): Promise<string> {
    const folder = join(this.#dataDir(node), part);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = await Promise.all(
      entries
        .filter((entry) => entry.isFile())
        .map(async (entry) => {
          const path = join(entry.parentPath, entry.name);
          const { size, mtimeMs } = await stat(path);
          return { path, size, mtimeMs };
        }),
    );
    const [newest] = files
      .filter((file) => file.size > 0)
      .sort((one, other) => other.mtimeMs - one.mtimeMs || other.path.localeCompare(one.path));
    if (newest === undefined) throw new Error(`${node} has nothing in its ${part} yet`);
    return newest.path;
  }

  #pathOf(node: string, copy: string): string {
    if (!nameOfCopy.test(copy)) throw new Error(`"${copy}" cannot be the name of a copy`);
    return join(this.#folder, `${node}.${copy}`);
  }
}

/** Keeps the folder itself: it may be a file system of its own. */
export async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    await rm(join(folder, name), { recursive: true, force: true });
}
