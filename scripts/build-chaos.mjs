// Compiles chaos/ to dist-chaos/. Its sources import ../src/, of which dist/ is the compiled form:
// the paths are changed to that, so that there is one copy of each module in a process.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

process.chdir(new URL('..', import.meta.url).pathname);
const out = 'dist-chaos';
const emitted = join(out, '.emit');

rmSync(out, { recursive: true, force: true });
const tsc = spawnSync(
  join('node_modules', '.bin', 'tsc'),
  ['-p', 'tsconfig.chaos.json', '--outDir', emitted],
  { stdio: ['ignore', 2, 2] },
);
if (tsc.status !== 0) process.exit(1);

const from = join(emitted, 'chaos');
for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.js')) continue;
  const source = join(entry.parentPath ?? entry.path, entry.name);
  const target = join(out, relative(from, source));
  const text = readFileSync(source, 'utf8');
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text.replaceAll(/(['"])((?:\.\.\/)+)src\//g, '$1$2dist/'));
}
rmSync(emitted, { recursive: true });
cpSync('chaos/grounds/containers/emulator', join(out, 'grounds/containers/emulator'), {
  recursive: true,
});
cpSync('chaos/grounds/processes/shim', join(out, 'grounds/processes/shim'), { recursive: true });
cpSync('chaos/scenarios', join(out, 'scenarios'), { recursive: true });
writeFileSync(join(out, '.built'), '');
