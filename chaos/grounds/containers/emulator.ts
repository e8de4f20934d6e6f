import { fileURLToPath } from 'node:url';
import { compile, compiler } from '../processes/compile.ts';

const source = fileURLToPath(new URL('emulator/link-emulator.c', import.meta.url));

/**
 * Compiles our own link emulator, for kernels without netem, so that it needs nothing of where it
 * runs.
 *
 * @returns its path; undefined when there is no compiler.
 * @throws Error with what the compiler said.
 */
export function buildEmulator(folder: string): string | undefined {
  if (compiler() === undefined) return undefined;
  return compile(source, `${folder}/link-emulator`, ['-O2', '-static']);
}
