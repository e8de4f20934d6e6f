import type { Random } from '../../src/lib/index.ts';
import type { AppendFile, Disk } from '../../src/raft/driver/disk.ts';

/** What a disk loses or tears at once. */
const SECTOR_BYTES = 512;

/** What the disk does to one operation: how long it takes, and how it fails, if it does. */
export interface DiskFate {
  readonly delayMs: number;
  readonly error?: 'EIO' | 'ENOSPC';
}

export interface DiskFates {
  next(operation: 'append' | 'sync' | 'overwrite' | 'read' | 'other', bytes: number): DiskFate;
  /** Runs `then` after `delayMs` of simulated time; at once when it is zero. */
  after(delayMs: number, then: () => void): void;
}

/** A disk that never fails and takes no time. */
export const perfectDisk: DiskFates = {
  next: () => ({ delayMs: 0 }),
  after: (_delayMs, then) => then(),
};

interface File {
  bytes: Buffer;
  used: number;
  /** How many bytes from the start a power cut would leave. */
  synced: number;
}

/**
 * A directory in memory with the semantics of a real one: what was not synced is lost or torn by a
 * power cut, names too, and bits can be flipped. Each process opens it anew with `attach`; what an
 * older process still had under way is forgotten.
 */
export class SimulatedDisk {
  #files = new Map<string, File>();
  /** The directory as a power cut would leave it. */
  #durableNames = new Map<string, File>();
  #life = 0;

  attach(fates: DiskFates = perfectDisk): Disk {
    const life = this.#life;
    return new AttachedDisk(this.#files, fates, {
      isAlive: () => life === this.#life,
      syncNames: () => {
        this.#durableNames = new Map(this.#files);
      },
    });
  }

  /** The process dies, the machine lives on: the operating system still writes everything. */
  killProcess(): void {
    this.#life += 1;
    for (const file of this.#files.values()) file.synced = file.used;
    this.#durableNames = new Map(this.#files);
  }

  /** Power cut: of what was not synced, each sector is there or reads as zeros, and the end may be
   * missing; names that were not synced may be as before. */
  crash(random: Random): void {
    this.#life += 1;
    const keepNames = random.below(2) === 0;
    const names = keepNames ? new Map(this.#files) : new Map(this.#durableNames);
    for (const file of new Set(names.values())) tear(file, random);
    this.#replaceNames(names);
  }

  /** A new, empty disk. */
  wipe(): void {
    this.#life += 1;
    this.#replaceNames(new Map());
  }

  names(): readonly string[] {
    return [...this.#files.keys()].sort();
  }

  contentOf(name: string): Buffer {
    const file = this.#files.get(name);
    if (file === undefined) throw missing(name);
    return file.bytes.subarray(0, file.used);
  }

  flipBit(name: string, byte: number, bit: number): void {
    const content = this.contentOf(name);
    content[byte] = (content[byte] ?? 0) ^ (1 << bit);
  }

  cut(name: string, size: number): void {
    const file = this.#files.get(name);
    if (file === undefined) throw missing(name);
    file.used = Math.min(file.used, size);
    file.synced = Math.min(file.synced, size);
  }

  /** A copy, as a virtual machine's snapshot makes it: durable content only. */
  image(): SimulatedDisk {
    const copy = new SimulatedDisk();
    for (const [name, file] of this.#files) {
      copy.#files.set(name, { ...file, bytes: Buffer.from(file.bytes) });
    }
    copy.#durableNames = new Map(copy.#files);
    return copy;
  }

  #replaceNames(names: Map<string, File>): void {
    this.#files = names;
    this.#durableNames = new Map(names);
  }
}

function tear(file: File, random: Random): void {
  if (file.used > file.synced) {
    const end = file.synced + random.below(file.used - file.synced + 1);
    for (let at = file.synced; at < end; ) {
      const sectorEnd = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
      if (random.below(3) === 0) file.bytes.fill(0, at, sectorEnd);
      at = sectorEnd;
    }
    file.used = end;
  }
  file.synced = file.used;
}

interface Owner {
  isAlive(): boolean;
  syncNames(): void;
}

class AttachedDisk implements Disk {
  readonly #files: Map<string, File>;
  readonly #fates: DiskFates;
  readonly #owner: Owner;

  constructor(files: Map<string, File>, fates: DiskFates, owner: Owner) {
    this.#files = files;
    this.#fates = fates;
    this.#owner = owner;
  }

  async openAppend(name: string): Promise<AppendFile> {
    return await this.#run('other', 0, () => {
      const file = this.#files.get(name) ?? { bytes: Buffer.alloc(4096), used: 0, synced: 0 };
      this.#files.set(name, file);
      return {
        append: (parts) => {
          const whole = Buffer.concat(parts);
          return this.#run('append', whole.length, () => grow(file, file.used, whole));
        },
        sync: () =>
          this.#run('sync', 0, () => {
            file.synced = file.used;
          }),
        close: async () => {},
      };
    });
  }

  async read(name: string): Promise<Uint8Array> {
    return await this.#run('read', 0, () => {
      const file = this.#file(name);
      return Buffer.from(file.bytes.subarray(0, file.used));
    });
  }

  async readRange(name: string, offset: number, length: number): Promise<Uint8Array> {
    return await this.#run('read', length, () => {
      const file = this.#file(name);
      return Buffer.from(file.bytes.subarray(offset, Math.min(offset + length, file.used)));
    });
  }

  async overwrite(name: string, bytes: Uint8Array): Promise<void> {
    await this.#run('overwrite', bytes.length, () => {
      const file = this.#files.get(name) ?? { bytes: Buffer.alloc(512), used: 0, synced: 0 };
      this.#files.set(name, file);
      grow(file, 0, Buffer.from(bytes));
      file.used = bytes.length;
      file.synced = file.used;
    });
  }

  async truncate(name: string, size: number): Promise<void> {
    await this.#run('other', 0, () => {
      const file = this.#file(name);
      file.used = Math.min(file.used, size);
      file.synced = file.used;
    });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#run('other', 0, () => {
      this.#files.set(to, this.#file(from));
      this.#files.delete(from);
    });
  }

  async remove(name: string): Promise<void> {
    await this.#run('other', 0, () => {
      this.#file(name);
      this.#files.delete(name);
    });
  }

  async list(): Promise<readonly string[]> {
    return await this.#run('read', 0, () => [...this.#files.keys()].sort());
  }

  async syncDirectory(): Promise<void> {
    await this.#run('other', 0, () => this.#owner.syncNames());
  }

  #file(name: string): File {
    const file = this.#files.get(name);
    if (file === undefined) throw missing(name);
    return file;
  }

  /** The effect comes with the answer; of a dead process neither does. */
  #run<T>(operation: Parameters<DiskFates['next']>[0], bytes: number, effect: () => T): Promise<T> {
    const fate = this.#fates.next(operation, bytes);
    return new Promise<T>((resolve, reject) => {
      this.#fates.after(fate.delayMs, () => {
        if (!this.#owner.isAlive()) return;
        try {
          if (fate.error !== undefined) throw failure(fate.error);
          resolve(effect());
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }
}

function grow(file: File, at: number, bytes: Buffer): void {
  const end = at + bytes.length;
  if (end > file.bytes.length) {
    const larger = Buffer.alloc(Math.max(end, file.bytes.length * 2));
    file.bytes.copy(larger, 0, 0, file.used);
    file.bytes = larger;
  }
  bytes.copy(file.bytes, at);
  if (end > file.used) file.used = end;
}

function missing(name: string): Error {
  return failure('ENOENT', name);
}

function failure(code: string, name = ''): Error {
  return Object.assign(new Error(`${code}: simulated disk ${name}`), { code });
}
