import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StrongroomError } from '../../lib/index.ts';
import type { LocalNode } from './layout.ts';

const READY_MS = 60_000;
const STOP_MS = 25_000;
const LOOK_MS = 50;
const LOG_TAIL = 600;

export interface Ready {
  readonly node: number;
  readonly clusterId: string;
  readonly apiAddress: string;
  readonly metricsAddress: string;
  readonly pid: number;
}

const readyFile = (node: LocalNode) => join(node.dataDir, 'ready.json');

/** What the running process of a node says of itself; undefined when none runs. */
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

/** A pid may have gone to another program since: it is the node only if it runs its configuration. */
function isNode(pid: number, node: LocalNode): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(node.configFile);
  } catch {
    return false;
  }
}

/**
 * Starts a node's process and waits until it serves.
 * @throws StrongroomError `cluster.start-failed` with the end of its log.
 */
export async function startNodeProcess(
  node: LocalNode,
  program: readonly string[],
  detached: boolean,
): Promise<{ readonly ready: Ready; readonly child: ChildProcess | undefined }> {
  const running = readyOf(node);
  if (running !== undefined) return { ready: running, child: undefined };
  rmSync(readyFile(node), { force: true });
  const log = openSync(node.logFile, 'a', 0o600);
  const [command = process.execPath, ...args] = program;
  const child = spawn(command, [...args, 'server', '-c', node.configFile], {
    stdio: ['ignore', log, log],
    // A group of its own: Ctrl-C in the terminal reaches only who shows the table, which then ends
    // the nodes one after the other.
    detached: true,
  });
  if (detached) child.unref();
  const state = { ended: false };
  child.once('exit', () => {
    state.ended = true;
  });
  const deadline = performance.now() + READY_MS;
  while (performance.now() < deadline && !state.ended) {
    const ready = readyOf(node);
    if (ready !== undefined) return { ready, child };
    await pause(LOOK_MS);
  }
  const why = state.ended ? 'its process ended' : `it was not ready within ${READY_MS} ms`;
  throw new StrongroomError(
    'cluster.start-failed',
    `Cannot start node ${node.name}: ${why}; the end of ${node.logFile}:\n${tailOf(node.logFile)}`,
  );
}

/** Ends a node's process as an operator would. @returns false when none was running. */
export async function stopNodeProcess(node: LocalNode): Promise<boolean> {
  const ready = readyOf(node);
  if (ready === undefined) return false;
  process.kill(ready.pid, 'SIGTERM');
  const deadline = performance.now() + STOP_MS;
  while (isNode(ready.pid, node)) {
    if (performance.now() > deadline) {
      process.kill(ready.pid, 'SIGKILL');
      return true;
    }
    await pause(LOOK_MS);
  }
  return true;
}

function tailOf(file: string): string {
  return readFileSync(file, 'utf8').slice(-LOG_TAIL);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
