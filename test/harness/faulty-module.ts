import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenAddress } from '../../src/hsm/index.ts';

const source = new URL('faulty-module.c', import.meta.url).pathname;

/** A C compiler, which the PKCS#11 binding needs as well. */
export const compilerInstalled = hasCompiler();
if (!compilerInstalled) console.warn('There is no C compiler: tests with a faulty HSM are skipped');

/** In place of an answer: the call never returns. */
export const HANGS = 0xffff;

export type FaultyCall =
  | 'C_Initialize'
  | 'C_OpenSession'
  | 'C_Login'
  | 'C_EncryptInit'
  | 'C_DecryptInit'
  | 'C_GenerateRandom';

const FOR_EVER = 1_000_000;

/** The same token, reached through a module that fails as told. */
export class FaultyModule {
  readonly address: TokenAddress;
  readonly #rules: string;

  constructor(address: TokenAddress, directory: string) {
    const module = join(directory, 'faulty.so');
    execFileSync('cc', ['-shared', '-fPIC', '-o', module, source, '-ldl']);
    this.#rules = join(directory, 'faulty-rules');
    this.address = {
      ...address,
      module,
      environment: {
        ...address.environment,
        FAULTY_TARGET: address.module,
        FAULTY_RULES: this.#rules,
      },
    };
  }

  /** Lets a call answer with `ckr`, the next `times` times in the life of an agent. */
  fail(call: FaultyCall, ckr: number, times = FOR_EVER): void {
    writeFileSync(this.#rules, `${call} ${ckr.toString(16)} ${times}\n`);
  }

  /** Process ids of agents that hang in a call. */
  hangs(): readonly number[] {
    const notes = `${this.#rules}.hangs`;
    return existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n').map(Number) : [];
  }

  heal(): void {
    rmSync(this.#rules, { force: true });
  }
}

function hasCompiler(): boolean {
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
