import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StrongroomError } from '../../lib/index.ts';

const POINTER = 'current';
const NAME = /^state-([0-9]{1,15})$/;

/**
 * A directory with one live state in it, named by the file `current`. A new state is made beside it
 * and becomes the live one by one rename, so a crash at any step leaves the old or the new one.
 */
export class StateDirectory {
  readonly #directory: string;
  #live: string;
  #last: number;

  private constructor(directory: string, live: string, last: number) {
    this.#directory = directory;
    this.#live = live;
    this.#last = last;
  }

  /**
   * Finds the live state, and removes what a crash left beside it.
   *
   * @throws StrongroomError `store.corrupt` when there are states and none is named as live.
   */
  static async open(directory: string): Promise<StateDirectory> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const names = (await readdir(directory)).filter((name) => NAME.test(name));
    const last = Math.max(0, ...names.map(numberOf));
    const pointer = await readPointer(directory);
    if (pointer === undefined && names.length > 0) throw noPointer(directory);
    const states = new StateDirectory(directory, pointer ?? 'state-1', Math.max(last, 1));
    if (pointer === undefined) await states.switchTo(states.#live);
    for (const name of names) {
      if (name !== states.#live) await remove(directory, name);
    }
    await rm(join(directory, `${POINTER}.new`), { force: true });
    return states;
  }

  get live(): string {
    return join(this.#directory, this.#live);
  }

  get liveName(): string {
    return this.#live;
  }

  /** A name for a new state; nothing is made yet. */
  stage(): { readonly name: string; readonly path: string } {
    this.#last++;
    const name = `state-${this.#last}`;
    return { name, path: join(this.#directory, name) };
  }

  /** Makes `name` the live state, for this process and all after it. */
  async switchTo(name: string): Promise<void> {
    const staged = join(this.#directory, `${POINTER}.new`);
    await writeFile(staged, `${name}\n`, { flush: true, mode: 0o600 });
    await rename(staged, join(this.#directory, POINTER));
    await syncDirectory(this.#directory);
    this.#live = name;
  }

  async remove(name: string): Promise<void> {
    await remove(this.#directory, name);
  }
}

async function readPointer(directory: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, POINTER), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  if (!text.endsWith('\n') || !NAME.test(text.trimEnd())) throw noPointer(directory);
  return text.trimEnd();
}

function noPointer(directory: string): StrongroomError {
  return new StrongroomError(
    'store.corrupt',
    `Cannot open the state in ${directory}: the file "${POINTER}" does not name one. Remove the directory and let the node be caught up by a snapshot`,
  );
}

function numberOf(name: string): number {
  return Number(NAME.exec(name)?.[1] ?? 0);
}

async function remove(directory: string, name: string): Promise<void> {
  await rm(join(directory, name), { recursive: true, force: true });
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
