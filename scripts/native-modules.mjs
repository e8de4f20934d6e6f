// The npm packages with machine code in them. Most bring it for the usual systems; the PKCS#11 binding
// comes as source alone, and a machine without a compiler must still get everything but HSMs.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const tools = [
  { package: 'python3', has: () => spawnSync('python3', ['--version']).status === 0 },
  { package: 'make', has: () => spawnSync('make', ['--version']).status === 0 },
  { package: 'g++', has: () => spawnSync('c++', ['--version']).status === 0 },
];
/** Scripts that packages run when they are installed: of these alone, and of no dependency beside. */
const ownScripts = ['@bufbuild/buf', '@swc/core', 'classic-level', 'esbuild'];
const SAID_LINES = 12;

/** What the system lacks to compile with. */
export function toolsMissing() {
  return tools.filter((one) => !one.has()).map((one) => one.package);
}

export function isBindingCompiled() {
  return existsSync('node_modules/pkcs11js/build/Release/pkcs11.node');
}

/** @returns whether the packages that bring their machine code with them are in working order. */
export function prepareModules(say) {
  const result = rebuild(ownScripts);
  if (result.status !== 0) say(lastLines(result));
  return result.status === 0;
}

/** Compiles the binding where it is not yet. Without it all works but HSMs. */
export function compileBinding(say) {
  if (isBindingCompiled()) return;
  const missing = toolsMissing();
  if (missing.length > 0) {
    say(`no HSM can be used: its binding is compiled here, which takes ${missing.join(', ')}`);
    return;
  }
  say('compiling the PKCS#11 binding');
  const result = rebuild(['pkcs11js']);
  if (isBindingCompiled()) return;
  say(lastLines(result));
  say('no HSM can be used: the PKCS#11 binding does not compile');
}

function rebuild(packages) {
  // Where Node brings its headers with it, they need not be fetched.
  const prefix = dirname(dirname(process.execPath));
  const headers = existsSync(join(prefix, 'include/node/node_api.h'))
    ? { npm_config_nodedir: prefix }
    : {};
  const args = ['rebuild', '--ignore-scripts=false', '--loglevel=error', ...packages];
  return spawnSync('npm', args, { encoding: 'utf8', env: { ...headers, ...process.env } });
}

function lastLines({ stdout, stderr }) {
  return `${stdout}${stderr}`.trim().split('\n').slice(-SAID_LINES).join('\n');
}
