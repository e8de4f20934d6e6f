import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mutant } from './mutant.ts';

export interface Verdict {
  readonly mutant: Mutant;
  readonly caught: boolean;
  /** The first failed test, or why the mutant could not be run. */
  readonly by: string;
}

const vitest = (...paths: readonly string[]) => [
  join('vitest', 'vitest.mjs'),
  'run',
  '--bail',
  '1',
  '--no-color',
  ...paths,
];
const simulate = (seeds: number) => [
  join('tsx', 'dist', 'cli.mjs'),
  join('chaos', 'simulation', 'main.ts'),
  '--seeds',
  String(seeds),
];

/** Commands under `node_modules/`, by the part that a mutant is in; the first that fails catches it. */
const CHECKS = {
  core: [vitest('test/raft/core', 'test/paper', 'test/chaos/trace.test.ts')],
  driver: [
    vitest(
      'test/raft/driver/log',
      'test/raft/driver/transport',
      'test/raft/driver/applier.test.ts',
      'test/raft/driver/hello.test.ts',
      'test/raft/driver/open-state.test.ts',
      'test/raft/driver/proposals.test.ts',
      'test/raft/driver/storage-writer.test.ts',
      'test/raft/driver/open-state.test.ts',
    ),
    simulate(200),
  ],
} as const;
type Part = keyof typeof CHECKS;
const partOf = ({ file }: Mutant): Part => (file.startsWith('raft/core/') ? 'core' : 'driver');

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
    return (await this.#check('core')).passed && (await this.#check('driver')).passed;
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
      const { passed, firstFailure } = await this.#check(partOf(mutant));
      return { mutant, caught: !passed, by: firstFailure };
    } finally {
      writeFileSync(path, original);
    }
  }

  async #check(part: Part): Promise<{ readonly passed: boolean; readonly firstFailure: string }> {
    for (const [script, ...args] of CHECKS[part]) {
      const path = join(this.#project, 'node_modules', script ?? '');
      const { status, output } = await run([path, ...args], this.folder);
      if (status === 0) continue;
      const failure = /(?:FAIL|×)\s+(.*)|(seed \d+ FAILED.*)/.exec(output);
      return { passed: false, firstFailure: failure?.[1] ?? failure?.[2] ?? 'a hang or a crash' };
    }
    return { passed: true, firstFailure: '' };
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
