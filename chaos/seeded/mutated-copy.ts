import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { patchSources } from './patched-source.ts';
import type { Patch } from './seeded-fault.ts';

const COMPILE_MS = 120_000;
const GENERATED = 'wire/generated';

/** A copy of the project with seeded faults in it, in a folder of its own that goes with it. */
export class MutatedCopy implements Disposable {
  readonly folder: string;
  readonly #project: string;

  /** @throws Error when a place to change is not found exactly once. */
  constructor(project: string, patches: readonly Patch[]) {
    this.#project = project;
    this.folder = mkdtempSync(join(tmpdir(), 'strongroom-seeded-'));
    try {
      for (const name of ['src', 'chaos', 'package.json'])
        cpSync(join(project, name), join(this.folder, name), { recursive: true });
      for (const name of ['node_modules', 'proto'])
        symlinkSync(join(project, name), join(this.folder, name));
      patchSources(join(this.folder, 'src'), patches);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Compiles the program as a release is compiled, types and all.
   * @returns its main module.
   * @throws Error with what the compiler said.
   */
  build(): string {
    this.#compile(['--outDir', join(this.folder, 'dist')]);
    const generated = join(this.folder, 'dist', GENERATED);
    mkdirSync(generated, { recursive: true });
    cpSync(join(this.folder, 'src', GENERATED), generated, { recursive: true });
    return join(this.folder, 'dist/cli/main.js');
  }

  /** @throws Error with what the compiler said. */
  checkTypes(): void {
    this.#compile(['--noEmit']);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #compile(args: readonly string[]): void {
    const config = join(this.folder, 'tsconfig.json');
    writeFileSync(config, JSON.stringify(this.#compilerOptions()));
    const tsc = join(this.#project, 'node_modules/.bin/tsc');
    const { status, stdout, stderr } = spawnSync(tsc, ['-p', config, ...args], {
      encoding: 'utf8',
      timeout: COMPILE_MS,
    });
    if (status !== 0) throw new Error(`The seeded source does not compile:\n${stdout}${stderr}`);
  }

  /** What a fault leaves unused is no mistake here. */
  #compilerOptions() {
    return {
      extends: join(this.#project, 'tsconfig.build.json'),
      compilerOptions: {
        rootDir: join(this.folder, 'src'),
        noUnusedLocals: false,
        noUnusedParameters: false,
        sourceMap: false,
        declaration: false,
      },
      include: [join(this.folder, 'src')],
    };
  }
}
