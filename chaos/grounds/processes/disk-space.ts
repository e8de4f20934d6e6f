import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { mkdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Enough for any scenario's data; a tmpfs takes only what is in it. */
const ROOMY_BYTES = 2 * 1024 ** 3;
const PAGE_BYTES = 4_096;
const SHRINKS_MAX = 50;

/** Why a node's disk cannot be filled on this machine; undefined when it can. */
export function missingForFullDisk(): string | undefined {
  if (process.platform !== 'linux') return 'a full disk needs Linux';
  const probe = mkdtempSync(join(tmpdir(), 'strongroom-mount-'));
  try {
    mount(probe, ROOMY_BYTES);
    unmount(probe);
    return undefined;
  } catch {
    return 'a full disk needs the right to mount a small tmpfs: run as root';
  } finally {
    rmdirSync(probe);
  }
}

/** The disks of nodes as file systems of their own, whose sizes are changed while they are in use. */
export class DiskSpace {
  readonly #folders = new Map<string, string>();
  readonly #layers = new Map<
    string,
    { readonly nodes: readonly string[]; readonly free: number }
  >();

  /** @throws Error when it cannot be mounted. */
  async mount(node: string, folder: string): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    mount(folder, ROOMY_BYTES);
    this.#folders.set(node, folder);
  }

  /**
   * Leaves that much free, to the page, and no less than nothing: what is there stays.
   * @throws RangeError for what is no number of bytes.
   */
  async limit(layer: string, nodes: readonly string[], free: number): Promise<void> {
    if (!(free >= 0 && free <= ROOMY_BYTES)) throw new RangeError(`No disk has ${free} bytes free`);
    const before = this.#layers.get(layer)?.nodes ?? [];
    this.#layers.set(layer, { nodes, free });
    await this.#apply([...before, ...nodes]);
  }

  async unlimit(layer: string): Promise<void> {
    const before = this.#layers.get(layer)?.nodes ?? [];
    this.#layers.delete(layer);
    await this.#apply(before);
  }

  async liftAll(): Promise<void> {
    for (const layer of this.#layers.keys()) await this.unlimit(layer);
  }

  /**
   * Everything on them is gone. Lazily: a process that still ends does not keep it.
   * @returns the nodes whose disks they were.
   */
  unmountAll(): readonly string[] {
    const nodes = [...this.#folders.keys()];
    for (const folder of this.#folders.values()) unmount(folder);
    this.#folders.clear();
    return nodes;
  }

  async #apply(nodes: readonly string[]): Promise<void> {
    for (const node of new Set(nodes)) {
      const folder = this.#folders.get(node);
      if (folder === undefined) throw new Error(`The disk of ${node} is not one of ours`);
      const limits = [...this.#layers.values()].filter((layer) => layer.nodes.includes(node));
      const free = Math.min(...limits.map((layer) => layer.free));
      if (Number.isFinite(free)) await shrink(folder, free);
      else resize(folder, ROOMY_BYTES);
    }
  }
}

/** The node writes meanwhile, and a size below what is there is refused: then once more. */
async function shrink(folder: string, free: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { blocks, bfree, bsize } = await statfs(folder);
    // One page at least: a size of nothing is a tmpfs without a limit.
    const size = Math.max(PAGE_BYTES, (blocks - bfree) * bsize + free);
    try {
      resize(folder, size);
      return;
    } catch (error) {
      if (attempt === SHRINKS_MAX) throw error;
    }
  }
}

function resize(folder: string, bytes: number): void {
  run('mount', '-o', `remount,size=${bytes}`, folder);
}

function mount(folder: string, bytes: number): void {
  run('mount', '-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'strongroom-chaos', folder);
}

function unmount(folder: string): void {
  run('umount', '-l', folder);
}

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()}`);
}
