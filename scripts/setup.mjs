// Brings a fresh clone to where it can run: SoftHSM and a compiler where this user may install them,
// npm packages, the build. Does nothing that is already done, so every npm script starts with it. Only
// Node's own modules are used here: nothing else is there yet.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { compileBinding, prepareModules } from './native-modules.mjs';
import { installSystemPackages } from './system-packages.mjs';

const say = (text) => process.stderr.write(`strongroom: ${text}\n`);

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 15)) {
  say(`Node ${process.versions.node} is too old, Strongroom needs 20.15 or newer`);
  process.exit(1);
}

process.chdir(new URL('..', import.meta.url).pathname);
// First, for a compiler may be among them.
if (process.argv.includes('--system')) installSystemPackages(process.argv.includes('--test'), say);
installPackages();
compileBinding(say);
build();

function installPackages() {
  const lock = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex');
  const stamp = 'node_modules/.strongroom-lock';
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('installing npm packages (about a minute, once)');
  // Development packages are needed too: the build is made here.
  // `ci` insists that the lock file names every other platform's optional binaries too, which a
  // registry mirror may not hold; `install` then takes the same locked versions.
  const flags = [
    '--include=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const exact = spawnSync('npm', ['ci', ...flags], { stdio: 'ignore' });
  if (exact.status !== 0) run('npm', ['install', '--no-save', ...flags]);
  if (!prepareModules(say)) {
    say('failed: npm rebuild, which puts the packages with machine code in order');
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}

/**
 * `dist/` is a node's release, from `src/` alone. `dist-chaos/` lies beside it where an operator
 * wants `strongroom chaos`; `--no-chaos` leaves it out.
 */
function build() {
  const nodeInputs = ['src', 'proto', 'tsconfig.build.json', 'scripts/generate-wire.mjs'];
  const common = ['tsconfig.json', 'scripts/setup.mjs'];
  if (isOlder('dist/.built', [...common, ...nodeInputs])) {
    say('building');
    run(process.execPath, ['scripts/generate-wire.mjs']);
    run(join('node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.build.json']);
    mkdirSync('dist/wire/generated', { recursive: true });
    cpSync('src/wire/generated', 'dist/wire/generated', { recursive: true });
    writeFileSync('dist/.built', '');
  }
  const chaosInputs = ['chaos', 'tsconfig.chaos.json', 'scripts/build-chaos.mjs', 'dist/.built'];
  if (process.argv.includes('--no-chaos')) return;
  if (isOlder('dist-chaos/.built', [...common, ...chaosInputs])) {
    say('building chaos');
    run(process.execPath, ['scripts/build-chaos.mjs']);
  }
}

function isOlder(stamp, inputs) {
  const files = inputs.flatMap((path) => (statSync(path).isDirectory() ? filesBelow(path) : path));
  const times = files
    .filter((file) => !file.includes('src/wire/generated'))
    .map((file) => statSync(file).mtimeMs);
  return !existsSync(stamp) || statSync(stamp).mtimeMs < Math.max(...times);
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function run(command, args) {
  try {
    execFileSync(command, args, { stdio: ['ignore', 2, 2] });
  } catch {
    say(`failed: ${command} ${args.join(' ')}`);
    process.exit(1);
  }
}
