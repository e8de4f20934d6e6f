import { spawn } from 'node:child_process';
import { existsSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StrongroomError } from '../../lib/index.ts';
import type { LocalNode } from './layout.ts';

const READY_MS = 60_000;
const STOP_MS = 25_000;
const LOOK_MS = 50;
const LOG_TAIL = 600;

/**
 * Room for what lives as long as a request: with V8's 16 MiB a busy node collects it so often that
 * much is still in use, and pays a tenth more processor a write. Flags cannot be set later.
 */
const YOUNG_SPACE = ['--min-semi-space-size=16', '--max-semi-space-size=64'];

/** The command that runs a node from `script`, under the same loader as this process. */
export function nodeProgram(script: string): readonly string[] {
  return [process.execPath, ...YOUNG_SPACE, ...process.execArgv, script];
}

export interface Ready {
  readonly node: number;
  readonly clusterId: string;
  readonly apiAddress: string;
  readonly metricsAddress: string;
  readonly pid: number;
}

const readyFile = (node: LocalNode) => join(node.dataDir, 'ready.json');

/** What the running process of a node says of itself; undefined when none serves. */
export function readyOf(node: LocalNode): Ready | undefined {
  if (!existsSync(readyFile(node))) return undefined;
  try {
    const ready = JSON.parse(readFileSync(readyFile(node), 'utf8')) as Ready;
    return isNode(ready.pid, node) ? ready : undefined;
  } catch {
    // It is being written or removed at this moment.
    return undefined;
  }
}

/** The process of a node, also of one that does not serve yet or any more. */
export function pidOf(node: LocalNode): number | undefined {
  const ready = readyOf(node);
  if (ready !== undefined) return ready.pid;
  return readdirSync('/proc')
    .map(Number)
    .find((pid) => Number.isInteger(pid) && pid !== process.pid && isNode(pid, node));
}

/**
 * A pid may have gone to another program since: it is the node only if it runs its configuration.
 * One that has ended, though its parent has not looked yet, runs nothing.
 */
function isNode(pid: number, node: LocalNode): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(node.configFile);
  } catch {
    return false;
  }
}

/**
 * Starts a node's process, or takes the one that runs, and waits until it serves. A process that was
 * started here and does not come to serve is ended again.
 *
 * @throws StrongroomError `cluster.start-failed` with the end of its log, or why `signal` ended.
 */
export async function startNodeProcess(
  node: LocalNode,
  program: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly ready: Ready; readonly isOwn: boolean }> {
  const before = pidOf(node);
  const pid = before ?? spawnNode(node, program);
  const deadline = performance.now() + READY_MS;
  let why = `it was not ready within ${READY_MS} ms`;
  while (performance.now() < deadline && !signal.aborted) {
    const ready = readyOf(node);
    if (ready !== undefined) return { ready, isOwn: before === undefined };
    if (!isNode(pid, node)) {
      why = 'its process ended';
      break;
    }
    await pause(LOOK_MS, signal);
  }
  if (before === undefined) await endProcess(pid, node);
  signal.throwIfAborted();
  throw new StrongroomError(
    'cluster.start-failed',
    `Cannot start node ${node.name}: ${why}; the end of ${node.logFile}:\n${tailOf(node.logFile)}`,
  );
}

function spawnNode(node: LocalNode, program: readonly string[]): number {
  rmSync(readyFile(node), { force: true });
  const log = openSync(node.logFile, 'a', 0o600);
  const [command = process.execPath, ...args] = program;
  const child = spawn(command, [...args, 'server', '-c', node.configFile], {
    stdio: ['ignore', log, log],
    // A group of its own: Ctrl-C in the terminal reaches only who shows the table, which then ends
    // the nodes.
    detached: true,
  });
  // Never what keeps this process alive: it ends by itself when its own work is done or has failed.
  child.unref();
  if (child.pid !== undefined) return child.pid;
  throw new StrongroomError('cluster.start-failed', `Cannot start ${command}: is it installed?`);
}

/** Ends a node's process as an operator would. @returns false when none was running. */
export async function stopNodeProcess(node: LocalNode): Promise<boolean> {
  const pid = pidOf(node);
  if (pid === undefined) return false;
  await endProcess(pid, node);
  return true;
}

/** Asks it to end; kills it when it does not. */
async function endProcess(pid: number, node: LocalNode): Promise<void> {
  const deadline = performance.now() + STOP_MS;
  for (let name: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'; isNode(pid, node); ) {
    send(pid, name);
    while (isNode(pid, node) && (name === 'SIGKILL' || performance.now() < deadline)) {
      await pause(LOOK_MS);
    }
    name = 'SIGKILL';
  }
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has just ended by itself.
  }
}

function tailOf(file: string): string {
  return readFileSync(file, 'utf8').slice(-LOG_TAIL);
}

/** Resolves after `ms`, or when `signal` ends. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
    if (signal?.aborted === true) end();
  });
}
