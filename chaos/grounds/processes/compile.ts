import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const COMPILE_MS = 30_000;

/** The C compiler of this machine, if it has one. */
export function compiler(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':');
  return ['cc', 'gcc', 'clang']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

/**
 * Compiles one file of C.
 *
 * @returns `target`.
 * @throws Error with what the compiler said.
 */
export function compile(
  source: string,
  target: string,
  flags: readonly string[],
  libraries: readonly string[] = [],
): string {
  const cc = compiler();
  if (cc === undefined) throw new Error('There is no C compiler');
  const args = [...flags, '-o', target, source, ...libraries];
  const { status, stderr } = spawnSync(cc, args, { encoding: 'utf8', timeout: COMPILE_MS });
  if (status !== 0) throw new Error(`${cc} cannot compile ${source}: ${stderr}`);
  return target;
}
