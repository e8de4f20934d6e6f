// Brings a fresh clone to where it can run: npm packages, SoftHSM where this user may install it,
// the build. Does nothing that is already done, so every npm script starts with it. Only Node's own
// modules are used here: nothing else is there yet.
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

const softHsmModules = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
];

const say = (text) => process.stderr.write(`strongroom: ${text}\n`);

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 15)) {
  say(`Node ${process.versions.node} is too old, Strongroom needs 20.15 or newer`);
  process.exit(1);
}

process.chdir(new URL('..', import.meta.url).pathname);
installPackages();
if (process.argv.includes('--system')) installSystemPackages();
build();

function installPackages() {
  const lock = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex');
  const stamp = 'node_modules/.strongroom-lock';
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('installing npm packages (about a minute, once)');
  // Development packages are needed too: the build is made here.
  // `ci` insists that the lock file names every other platform's optional binaries too, which a
  // registry mirror may not hold; `install` then takes the same locked versions.
  const flags = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const exact = spawnSync('npm', ['ci', ...flags], { stdio: 'ignore' });
  if (exact.status !== 0) run('npm', ['install', '--no-save', ...flags]);
  writeFileSync(stamp, lock);
}

/** SoftHSM holds the root key of the local cluster; the others are for tests. */
function installSystemPackages() {
  const wanted = [
    { package: 'softhsm2', has: () => softHsmModules.some(existsSync) },
    ...(process.argv.includes('--test')
      ? [
          { package: 'opencryptoki', has: () => existsSync('/usr/sbin/pkcsslotd') },
          { package: 'p11-kit', has: () => existsSync('/usr/bin/p11-kit') },
          {
            package: 'p11-kit-modules',
            has: () => existsSync('/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so'),
          },
          // Devices in trouble and disks in trouble are small libraries, made for the test.
          { package: 'gcc', has: () => spawnSync('cc', ['--version']).status === 0 },
          { package: 'libc6-dev', has: () => existsSync('/usr/include/stdio.h') },
          { package: 'libnss3', has: () => existsSync('/usr/lib/x86_64-linux-gnu/libsoftokn3.so') },
        ]
      : []),
  ];
  const missing = wanted.filter((one) => !one.has()).map((one) => one.package);
  if (missing.length === 0) return;
  const canInstall = process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0;
  if (!canInstall) {
    say(`not installed and not mine to install here: ${missing.join(', ')}`);
    say('without softhsm2 the local cluster uses its embedded development seal; install it with');
    say(`  sudo apt-get install ${missing.join(' ')}`);
    return;
  }
  say(`installing ${missing.join(', ')} from the system's packages`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = () =>
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: environment,
    });
  if (install().status !== 0) {
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'ignore' });
    const second = install();
    if (second.status !== 0)
      say(`could not install: ${String(second.stderr).trim().split('\n').at(-1)}`);
  }
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
