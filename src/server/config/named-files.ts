import { access, constants, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StrongroomError } from '../../lib/index.ts';

/**
 * Reads a file that the configuration names.
 * @param what how to call it: "the join token".
 * @throws StrongroomError `config.unreadable`
 */
export async function readNamedFile(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new StrongroomError(
      'config.unreadable',
      `Cannot read ${what} in ${path}: ${why(error)}`,
      {
        cause: error,
      },
    );
  }
}

/**
 * Makes a folder that the configuration names, for its owner alone, with the folders above it.
 * @param what how to call it: "data directory".
 * @throws StrongroomError `config.invalid`
 */
export async function makeNamedFolder(path: string, what: string): Promise<void> {
  const reason = await makeFolder(path).then(
    () => undefined,
    (error: unknown) => why(error),
  );
  if (reason === undefined) return;
  throw new StrongroomError(
    'config.invalid',
    `Cannot use ${what} ${path}: ${reason}; name a folder that this user may make or write to`,
  );
}

async function makeFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    // The last one by itself: where a file system takes no folders, as /proc, Node's recursive mkdir
    // tries again for ever.
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await mkdir(path, { mode: 0o700 });
  } else if (!found.isDirectory()) throw new Error('it is no folder');
  await access(path, constants.W_OK | constants.X_OK);
}

function why(error: unknown): string {
  return error instanceof Error && 'code' in error
    ? String(error.code)
    : String((error as Error).message);
}
