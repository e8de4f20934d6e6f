import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile, compiler } from './compile.ts';

const source = fileURLToPath(new URL('shim/node-faults.c', import.meta.url));
const NS_A_MS = 1_000_000;
const WORD_BYTES = 8;

/** Numbers of the file that the shim reads, in its order. */
const words = [
  'wallOffsetNs',
  'ratePpm',
  'syncErrno',
  'syncDelayUs',
  'auditErrno',
  'auditHangs',
  'calls',
] as const;
type Word = (typeof words)[number];

const ENOSPC = 28;
const EIO = 5;
/** A rate of zero would stop timers for ever, and a negative one turn time back. */
const DRIFT_MIN = -0.99;
const DRIFT_MAX = 100;

/** What the shim does to one node, all zero when it does nothing. */
export interface ShimState {
  readonly offsetMs: number;
  readonly drift: number;
  readonly syncFails: boolean;
  readonly syncDelayMs: number;
  readonly audit: 'full' | 'hanging' | 'well';
}

/** Why clocks, fsync and audit logs cannot be disturbed on this machine; undefined when they can. */
export function missingForShim(): string | undefined {
  if (process.platform !== 'linux') return 'faults of clocks and fsync need Linux';
  return compiler() === undefined
    ? 'faults of clocks, fsync and audit logs need a C compiler: apt-get install gcc libc6-dev'
    : undefined;
}

/**
 * Compiles the library that is loaded before a node's own. The program that a node runs is the
 * released one, unchanged: no switch of it could be left on by mistake.
 *
 * @returns its path.
 * @throws Error with what the compiler said.
 */
export function buildShim(folder: string): string {
  const flags = ['-O2', '-fPIC', '-shared'];
  return compile(source, join(folder, 'node-faults.so'), flags, ['-ldl', '-pthread']);
}

/** The shim under one node, through the file that both map or write. */
export class NodeShim {
  readonly environment: Readonly<Record<string, string>>;
  readonly #file: string;

  private constructor(file: string, environment: Readonly<Record<string, string>>) {
    this.#file = file;
    this.environment = environment;
  }

  /** @param dataDir without symbolic links: the shim compares it with where open files are. */
  static async create(library: string, file: string, dataDir: string): Promise<NodeShim> {
    await writeFile(file, Buffer.alloc(words.length * WORD_BYTES), { mode: 0o600 });
    return new NodeShim(file, {
      LD_PRELOAD: library,
      STRONGROOM_CHAOS_CONTROL: file,
      STRONGROOM_CHAOS_FILES: `${dataDir}/`,
    });
  }

  /**
   * In effect when it resolves, whether the node runs or not.
   * @throws RangeError for a drift that is no clock's, or a time that is no number.
   */
  async set(state: ShimState): Promise<void> {
    if (!(state.drift >= DRIFT_MIN && state.drift <= DRIFT_MAX))
      throw new RangeError(`A clock cannot drift by ${state.drift}`);
    await this.#write({
      wallOffsetNs: state.offsetMs * NS_A_MS,
      ratePpm: state.drift * 1e6,
      syncErrno: state.syncFails ? EIO : 0,
      syncDelayUs: state.syncDelayMs * 1_000,
      auditErrno: state.audit === 'full' ? ENOSPC : 0,
      auditHangs: state.audit === 'hanging' ? 1 : 0,
    });
  }

  /** How many calls the shim has made fail or wait. */
  async calls(): Promise<number> {
    await using file = await open(this.#file, 'r');
    const { buffer } = await file.read(
      Buffer.alloc(WORD_BYTES),
      0,
      WORD_BYTES,
      words.indexOf('calls') * WORD_BYTES,
    );
    return Number(buffer.readBigInt64LE());
  }

  async #write(values: Readonly<Partial<Record<Word, number>>>): Promise<void> {
    const all = Object.entries(values).map(([word, value]) => {
      const bytes = Buffer.alloc(WORD_BYTES);
      bytes.writeBigInt64LE(BigInt(Math.round(value)));
      return { at: words.indexOf(word as Word) * WORD_BYTES, bytes };
    });
    await using file = await open(this.#file, 'r+');
    for (const { at, bytes } of all) await file.write(bytes, 0, WORD_BYTES, at);
  }
}
