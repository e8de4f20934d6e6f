import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answers } from './ping.ts';

/** Where an engine of ours keeps its things: images stay, so that only the first run makes them. */
export interface EngineFiles {
  readonly data: string;
  readonly state: string;
  readonly socket: string;
  readonly pidFile: string;
}

const data = '/var/lib/strongroom-chaos';
const state = '/run/strongroom-chaos';

export const ownEngine: EngineFiles = {
  data: join(data, 'engine'),
  state: join(state, 'engine'),
  socket: join(state, 'docker.sock'),
  pidFile: join(state, 'docker.pid'),
};

/** What is tried one after another, the last where the kernel or the disk knows no layers. */
const storage: readonly (readonly string[])[] = [[], ['--storage-driver=vfs']];
/** Apart from the networks that engines take by themselves, and whose rules a dead one may have left. */
const addresses = '--default-address-pool=base=10.213.0.0/16,size=24';

const START_MS = 30_000;
const ASK_EVERY_MS = 50;
const LOG_CHARS = 1_000;

/** Why no engine can be started here; undefined when it can be tried. */
export function missingForDockerd(): string | undefined {
  return programOf('dockerd') === undefined
    ? 'no container engine is running here, and none can be started: apt-get install docker.io'
    : undefined;
}

/** @returns its path, from where the system's own programs are. */
export function programOf(name: string): string | undefined {
  return [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/**
 * Starts one that answers on its own socket only, beside any other on this machine.
 * @throws Error with the end of its log when none of the ways to start it works.
 */
export async function startDockerd(files: EngineFiles): Promise<void> {
  mkdirSync(files.data, { recursive: true, mode: 0o710 });
  mkdirSync(files.state, { recursive: true, mode: 0o700 });
  const logFile = join(files.state, 'log');
  for (const extra of storage) {
    const child = launch(files, logFile, [...firewall(), ...extra]);
    if (await comesUp(child, files.socket)) return;
    child.kill('SIGKILL');
  }
  const log = readFileSync(logFile, 'utf8').slice(-LOG_CHARS);
  throw new Error(`dockerd does not start here: ${log}`);
}

/**
 * Our networks lead nowhere, so the machine's firewall is left as it is, and stays so when the engine
 * has ended. Only where it forwards nothing an engine may let its own networks through.
 */
function firewall(): readonly string[] {
  const iptables = programOf('iptables');
  const rules = iptables === undefined ? '' : outputOf(iptables, '-S', 'FORWARD');
  return rules.includes('-P FORWARD DROP') ? [] : ['--iptables=false', '--ip6tables=false'];
}

const outputOf = (program: string, ...args: readonly string[]) =>
  spawnSync(program, args, { encoding: 'utf8' }).stdout ?? '';

function launch(files: EngineFiles, logFile: string, extra: readonly string[]): ChildProcess {
  const log = openSync(logFile, 'w', 0o600);
  const args = [
    `--data-root=${files.data}`,
    `--exec-root=${files.state}`,
    `--pidfile=${files.pidFile}`,
    `--host=unix://${files.socket}`,
    // No network of its own: each run makes those that it needs.
    '--bridge=none',
    addresses,
    ...extra,
  ];
  // In a session of its own: Ctrl-C is for the runner, which needs the engine to heal.
  const child = spawn(programOf('dockerd') ?? 'dockerd', args, {
    stdio: ['ignore', log, log],
    detached: true,
  });
  child.on('error', () => undefined);
  child.unref();
  closeSync(log);
  return child;
}

async function comesUp(child: ChildProcess, socket: string): Promise<boolean> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
    if (await answers(socket)) return true;
    await new Promise((resolve) => {
      setTimeout(resolve, ASK_EVERY_MS);
    });
  }
  return false;
}
