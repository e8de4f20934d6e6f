import { writeFileSync } from 'node:fs';
import { StrongroomError } from '../../lib/index.ts';

/**
 * Writes a secret to a new file that only its owner may read.
 *
 * @throws StrongroomError `cli.file-exists`, `cli.file-unwritable`
 */
export function writeNewSecretFile(path: string, text: string): void {
  try {
    // `wx`: an existing file might be readable by others, or a link to somewhere else.
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (why === 'EEXIST') {
      throw new StrongroomError(
        'cli.file-exists',
        `Cannot write ${path}: it exists already, and might be somebody else's; name a new file`,
      );
    }
    throw new StrongroomError('cli.file-unwritable', `Cannot write ${path}: ${why}`, {
      cause: error,
    });
  }
}
