import { cp, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A folder with `package.json`, `node_modules` and a built `dist`, such as a checkout of a release. */
const variable = 'STRONGROOM_CHAOS_OTHER_BUILD';
const own = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * The program of another build, for upgrades and the way back: that of the folder which
 * STRONGROOM_CHAOS_OTHER_BUILD names, else this one's under the next version number, which shows
 * that a cluster of two versions works but not that two releases understand each other.
 *
 * @returns the program's main module.
 * @throws Error when the named folder holds no build.
 */
export async function otherBuild(folder: string): Promise<string> {
  const named = process.env[variable];
  const root = named ?? (await nextVersion(folder));
  const main = join(root, 'dist', 'cli', 'main.js');
  if ((await stat(main).catch(() => undefined)) === undefined)
    throw new Error(`${variable} names ${root}, which has no dist/cli/main.js: build it first`);
  return main;
}

async function nextVersion(folder: string): Promise<string> {
  const root = join(folder, 'other-build');
  await mkdir(root);
  const about = JSON.parse(await readFile(join(own, 'package.json'), 'utf8')) as {
    readonly version: string;
  };
  const version = about.version.replace(/\d+$/, (patch) => String(Number(patch) + 1));
  await writeFile(join(root, 'package.json'), JSON.stringify({ ...about, version }));
  await cp(join(own, 'dist'), join(root, 'dist'), { recursive: true });
  for (const name of ['node_modules', 'proto']) await symlink(join(own, name), join(root, name));
  return root;
}
