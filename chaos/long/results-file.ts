import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StrongroomError } from '../../src/lib/index.ts';
import type { RunResult } from './result.ts';

const VERSION = 1;
const FILE = 'results.json';

interface Kept {
  readonly version: number;
  readonly runs: readonly RunResult[];
}

/** The results so far, in the folder of a long run: so that it can be ended and gone on with. */
export class ResultsFile {
  readonly runs: RunResult[];
  readonly #folder: string;

  private constructor(folder: string, runs: readonly RunResult[]) {
    this.#folder = folder;
    this.runs = [...runs];
  }

  /** @throws StrongroomError `cli.file-exists` when what is there cannot be gone on with. */
  static async open(folder: string): Promise<ResultsFile> {
    await mkdir(folder, { recursive: true });
    const path = join(folder, FILE);
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return new ResultsFile(folder, []);
    return new ResultsFile(folder, parse(path, text).runs);
  }

  /** How long a scenario has been run already, and its next seed. */
  so(scenario: string, fromSeed: number): { readonly ranMs: number; readonly nextSeed: number } {
    const own = this.runs.filter((one) => one.scenario === scenario);
    return {
      ranMs: own.reduce((sum, one) => sum + one.durationMs, 0),
      nextSeed: Math.max(fromSeed, ...own.map((one) => one.seed + 1)),
    };
  }

  async add(result: RunResult): Promise<void> {
    this.runs.push(result);
    const path = join(this.#folder, FILE);
    const kept: Kept = { version: VERSION, runs: this.runs };
    await writeFile(`${path}.new`, `${JSON.stringify(kept, undefined, 1)}\n`);
    await rename(`${path}.new`, path);
  }
}

function parse(path: string, text: string): Kept {
  try {
    const kept = JSON.parse(text) as Kept;
    if (kept.version === VERSION && Array.isArray(kept.runs)) return kept;
  } catch {
    // Told below.
  }
  throw new StrongroomError(
    'cli.file-exists',
    `${path} is not of a long run of this version: name another folder with --out`,
  );
}
