// Run as a process of its own: LevelDB ends the process when it meets some kinds of damage.
// Reads directories from its arguments, from the second on, and says of each what became of it.
import { readFileSync, writeSync } from 'node:fs';
import { StrongroomError } from '../../../src/lib/index.ts';
import { dump, open } from '../harness.ts';

const never = new AbortController().signal;
const [statesFile = '', ...directories] = process.argv.slice(2);
const states = new Map(
  Object.entries(JSON.parse(readFileSync(statesFile, 'utf8')) as Record<string, string>),
);

/** Whether the damage is found, or the directory holds the whole state of some batch. */
async function judge(path: string): Promise<'found' | 'whole' | 'SILENT'> {
  try {
    await using store = await open(path);
    await store.verify(never);
    const state = JSON.stringify(await dump(store));
    return states.get(String(store.revision)) === state ? 'whole' : 'SILENT';
  } catch (error) {
    if (error instanceof StrongroomError && error.code === 'store.corrupt') return 'found';
    throw error;
  }
}

for (const directory of directories) writeSync(1, `${await judge(directory)}\n`);
