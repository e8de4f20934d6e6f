import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StrongroomError } from '../../src/lib/index.ts';
import { unknownWord } from '../scenario/assertion.ts';
import { readScenario } from '../scenario/parse-scenario.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { vocabulary } from '../vocabulary.ts';

const folder = fileURLToPath(new URL('../scenarios', import.meta.url));
const ENDING = '.yaml';

/** Names of all scenarios that come with this program. */
export function libraryNames(): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(ENDING))
    .map((file) => basename(file, ENDING))
    .sort();
}

/**
 * A scenario of the library by its name, or any by its file.
 *
 * @throws StrongroomError `cli.usage` for an unknown name; `config.invalid` with each problem.
 */
export function findScenario(nameOrFile: string): Promise<Scenario> {
  const inLibrary = join(folder, `${nameOrFile}${ENDING}`);
  if (/^[a-z0-9-]+$/.test(nameOrFile) && existsSync(inLibrary))
    return readScenario(inLibrary, vocabulary);
  if (/[/.]/.test(nameOrFile)) return readScenario(nameOrFile, vocabulary);
  return Promise.reject(
    new StrongroomError('cli.usage', unknownWord('scenario', nameOrFile, libraryNames())),
  );
}
