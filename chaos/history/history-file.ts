import { writeFile } from 'node:fs/promises';
import type { Entry } from './history.ts';

/** Writes a history as NDJSON, one operation a line, in the order in which they ended. */
export async function writeHistory(path: string, entries: readonly Entry[]): Promise<void> {
  await writeFile(path, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
}
