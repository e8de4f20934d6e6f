// The one gate: format, types, lint, import rules, protocol, tidiness. Runs every check
// and then says which failed, so that one run shows all there is to mend.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

process.chdir(new URL('..', import.meta.url).pathname);
const bin = (name) => join('node_modules', '.bin', name);
const node = process.execPath;

const checks = [
  ['setup', node, ['scripts/setup.mjs']],
  ['format', bin('biome'), ['check', '--error-on-warnings', '.']],
  ['types', bin('tsc'), ['-p', 'tsconfig.json']],
  ['lint', bin('oxlint'), ['--type-aware', '--quiet', 'src', 'test', 'chaos', 'bench', 'scripts']],
  ['imports', node, ['scripts/check-imports.mjs']],
  ['dead code', bin('knip'), ['--no-progress']],
  ['protocol', bin('buf'), ['lint']],
  ['tidy', bin('tsx'), ['scripts/tidy.ts']],
];

const only = process.argv.slice(2);
const failed = [];
for (const [name, command, args] of checks) {
  if (only.length > 0 && name !== 'setup' && !only.includes(name)) continue;
  const started = performance.now();
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const ok = result.status === 0;
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
  if (!ok) {
    failed.push(name);
    process.stdout.write(`${result.stdout}${result.stderr}${result.error ?? ''}\n`);
  }
}
if (failed.length > 0) {
  process.stdout.write(`\nFailed: ${failed.join(', ')}\n`);
  process.exit(1);
}
