// What set-up takes from the system's packages, and how: with apt-get, where this user may.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isBindingCompiled, toolsMissing } from './native-modules.mjs';

const libraries = { x64: '/usr/lib/x86_64-linux-gnu', arm64: '/usr/lib/aarch64-linux-gnu' };
const libraryFolder = libraries[process.arch] ?? '/usr/lib';
const hasLibrary = (name) => existsSync(`${libraryFolder}/${name}`);

const softHsmModules = [
  '/usr/lib/softhsm/libsofthsm2.so',
  `${libraryFolder}/softhsm/libsofthsm2.so`,
  '/usr/local/lib/softhsm/libsofthsm2.so',
];

const forTests = [
  { package: 'opencryptoki', has: () => existsSync('/usr/sbin/pkcsslotd') },
  { package: 'opensc', has: () => existsSync('/usr/bin/pkcs11-tool') },
  // It has the spy that counts how often a PIN is presented.
  { package: 'opensc-pkcs11', has: () => hasLibrary('pkcs11/pkcs11-spy.so') },
  { package: 'p11-kit', has: () => existsSync('/usr/bin/p11-kit') },
  { package: 'p11-kit-modules', has: () => hasLibrary('pkcs11/p11-kit-client.so') },
  // Devices in trouble and disks in trouble are small libraries, made for the test.
  { package: 'gcc', has: () => spawnSync('cc', ['--version']).status === 0 },
  { package: 'libc6-dev', has: () => existsSync('/usr/include/stdio.h') },
  { package: 'libnss3', has: () => hasLibrary('libsoftokn3.so') },
];

/** SoftHSM holds the root key of the local cluster; the binding to it and to any HSM is compiled. */
function wanted(withTests) {
  return [
    { package: 'softhsm2', has: () => softHsmModules.some(existsSync) },
    ...(withTests ? forTests : []),
  ]
    .filter((one) => !one.has())
    .map((one) => one.package)
    .concat(isBindingCompiled() ? [] : toolsMissing());
}

/** Installs what is missing, or says what is and what that means. Never fails: all of it is optional. */
export function installSystemPackages(withTests, say) {
  const missing = wanted(withTests);
  if (missing.length === 0) return;
  const hasApt = spawnSync('apt-get', ['--version']).status === 0;
  if (!hasApt || process.getuid?.() !== 0) {
    say(`not installed, and not mine to install here: ${missing.join(', ')}`);
    say('without them the local cluster uses its embedded development seal, and tests of HSMs are');
    say(
      hasApt
        ? `skipped; to have them: sudo apt-get install ${missing.join(' ')}`
        : "skipped; install them, or what they are called here, with the system's package manager",
    );
    return;
  }
  say(`installing ${missing.join(', ')} from the system's packages (once)`);
  if (install(missing).status === 0) return;
  spawnSync('apt-get', ['update', '-qq'], { stdio: 'ignore' });
  if (install(missing).status === 0) return;
  // One that this system does not have must not keep the others away.
  for (const one of missing) {
    const { status, stderr } = install([one]);
    if (status !== 0) say(`could not install ${one}: ${String(stderr).trim().split('\n').at(-1)}`);
  }
}

function install(packages) {
  return spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}
