import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { Act } from '../session.ts';

/** The version of this package. */
export function strongroomVersion(): string {
  // Beside `dist` and `src` alike: two folders up from `cli`.
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}

export function versionCommand(act: Act): Command {
  return new Command('version').description('print the version of this program').action(
    act(async (session) => {
      const version = strongroomVersion();
      session.print({
        document: { version, node: process.versions.node },
        table: () => `Strongroom ${version} (Node ${process.versions.node})\n`,
      });
    }),
  );
}
