import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Patch } from './seeded-fault.ts';

/** The source with the change made. @throws Error when its place is not there exactly once. */
export function patched(source: string, { file, search, replacement }: Patch): string {
  const places = source.split(search).length - 1;
  if (places !== 1)
    throw new Error(`src/${file}.ts holds ${places} times, not once: ${JSON.stringify(search)}`);
  return source.replace(search, () => replacement);
}

/** Makes the changes in a copy of the sources, one after the other. @throws Error as `patched`. */
export function patchSources(sources: string, patches: readonly Patch[]): void {
  for (const patch of patches) {
    const path = join(sources, `${patch.file}.ts`);
    writeFileSync(path, patched(readFileSync(path, 'utf8'), patch));
  }
}
