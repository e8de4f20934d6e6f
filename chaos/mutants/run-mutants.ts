import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mutant } from './mutants.ts';

export interface Verdict {
  readonly mutant: Mutant;
  readonly caught: boolean;
  /** The first failed test, or why the mutant could not be run. */
  readonly by: string;
}

const CHECKS = ['test/raft/core', 'test/paper', 'test/chaos/trace.test.ts'];
/** A mutant that hangs the tests is caught by that. */
const CHECK_MS_MAX = 120_000;
const OUTPUT_CHARACTERS_MAX = 1_000_000;

/** A copy of the project in which sources may be changed. */
export class MutantWorkshop implements Disposable {
  readonly folder: string;
  readonly #project: string;

  constructor(project: string) {
    this.#project = project;
    this.folder = mkdtempSync(join(tmpdir(), 'strongroom-mutants-'));
    for (const name of [
      'src',
      'test',
      'chaos',
      'package.json',
      'tsconfig.json',
      'vitest.config.ts',
    ]) {
      cpSync(join(project, name), join(this.folder, name), { recursive: true });
    }
    symlinkSync(join(project, 'node_modules'), join(this.folder, 'node_modules'));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs the checks on the unchanged copy: a mutant says nothing when these fail. */
  async baseline(): Promise<boolean> {
    return (await this.#check()).passed;
  }

  async judge(mutant: Mutant): Promise<Verdict> {
    const path = join(this.folder, 'src', mutant.file);
    const original = readFileSync(join(this.#project, 'src', mutant.file), 'utf8');
    const places = original.split(mutant.search).length - 1;
    if (places !== 1) {
      return { mutant, caught: false, by: `the text to change occurs ${places} times` };
    }
    writeFileSync(
      path,
      original.replace(mutant.search, () => mutant.replacement),
    );
    try {
      const { passed, firstFailure } = await this.#check();
      return { mutant, caught: !passed, by: firstFailure };
    } finally {
      writeFileSync(path, original);
    }
  }

  async #check(): Promise<{ readonly passed: boolean; readonly firstFailure: string }> {
    const vitest = join(this.#project, 'node_modules', 'vitest', 'vitest.mjs');
    const args = [vitest, 'run', '--bail', '1', '--no-color', ...CHECKS];
    const { status, output } = await run(args, this.folder);
    const failure = /(?:FAIL|×)\s+(.*)/.exec(output)?.[1] ?? 'a hang or a crash';
    return { passed: status === 0, firstFailure: status === 0 ? '' : failure };
  }
}

async function run(
  args: readonly string[],
  folder: string,
): Promise<{ readonly status: number | null; readonly output: string }> {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: CHECK_MS_MAX,
    killSignal: 'SIGKILL',
    env: { ...process.env, STRONGROOM_SCHEDULES: '400' },
  });
  let output = '';
  const keep = (chunk: Buffer): void => {
    if (output.length < OUTPUT_CHARACTERS_MAX) output += chunk.toString('utf8');
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output }));
  });
}
