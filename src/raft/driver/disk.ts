import { type FileHandle, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** A file that only grows. One call at a time. */
export interface AppendFile {
  /** Resolves when the operating system has all bytes; they are durable only after `sync`. */
  append(parts: readonly Uint8Array[]): Promise<void>;
  /** fdatasync. After a failure nothing is known of what was written: never call it again. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The files of one flat directory. All that the log needs of a disk, so that one can be simulated. */
export interface Disk {
  /** Opens for appending; a new file needs `syncDirectory` to survive a crash. */
  openAppend(name: string): Promise<AppendFile>;
  read(name: string): Promise<Uint8Array>;
  /** At most `length` bytes; fewer at the end of the file. */
  readRange(name: string, offset: number, length: number): Promise<Uint8Array>;
  /** Writes a small file whole, from its start, and syncs it. Not atomic. */
  overwrite(name: string, bytes: Uint8Array): Promise<void>;
  /** Cuts and syncs. */
  truncate(name: string, size: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Names, sorted. */
  list(): Promise<readonly string[]>;
  syncDirectory(): Promise<void>;
}

/** A directory of this machine, made if it is missing. Files are readable by their owner only. */
export async function nodeDisk(directory: string): Promise<Disk> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const at = (name: string) => join(directory, name);
  return {
    async openAppend(name) {
      return new NodeAppendFile(await open(at(name), 'a', 0o600));
    },
    read: (name) => readFile(at(name)),
    async readRange(name, offset, length) {
      const file = await open(at(name), 'r');
      try {
        const bytes = Buffer.allocUnsafe(length);
        let filled = 0;
        while (filled < length) {
          const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return bytes.subarray(0, filled);
      } finally {
        await file.close();
      }
    },
    async overwrite(name, bytes) {
      // Opened without cutting it first: a crash between the two would leave an empty file.
      const file = await openForOverwrite(at(name));
      try {
        let written = 0;
        while (written < bytes.length) {
          const { bytesWritten } = await file.write(
            bytes,
            written,
            bytes.length - written,
            written,
          );
          written += bytesWritten;
        }
        await file.truncate(bytes.length);
        await file.datasync();
      } finally {
        await file.close();
      }
    },
    async truncate(name, size) {
      const file = await open(at(name), 'r+');
      try {
        await file.truncate(size);
        await file.sync();
      } finally {
        await file.close();
      }
    },
    rename: (from, to) => rename(at(from), at(to)),
    remove: (name) => unlink(at(name)),
    async list() {
      return (await readdir(directory)).sort();
    },
    async syncDirectory() {
      const handle = await open(directory, 'r');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}

async function openForOverwrite(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return await open(path, 'w', 0o600);
  }
}

class NodeAppendFile implements AppendFile {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    if (whole === undefined) return;
    let written = 0;
    while (written < whole.length) {
      const { bytesWritten } = await this.#file.write(whole, written, whole.length - written);
      written += bytesWritten;
    }
  }

  async sync(): Promise<void> {
    await this.#file.datasync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
