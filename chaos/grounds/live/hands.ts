import { spawn } from 'node:child_process';
import type { Capability } from '../capabilities.ts';
import { hookNames } from './hook-kinds.ts';
import type { Target } from './target.ts';

/** What needs no hands: it is asked of the API, like any client's or operator's work. */
const byApi: readonly Capability[] = [
  'membership.roles',
  'cluster.admin',
  'cluster.load',
  'cluster.seal',
  'cluster.snapshot',
];
/** What signals to processes of this machine can do. */
const bySignal: readonly Capability[] = ['process.kill', 'process.pause', 'process.stop'];

/** Everything that some target could offer. */
export const liveCapabilities: ReadonlySet<Capability> = new Set([...byApi, ...hookNames]);

/** What can be done to this target: through the API, by signals, by its operator's commands. */
export function handsOf({ local, hooks }: Target): ReadonlySet<Capability> {
  return new Set([...byApi, ...(local === undefined ? [] : bySignal), ...hooks.keys()]);
}

const STDERR_MAX = 200;

/**
 * Runs an operator's command, without a shell.
 *
 * @throws Error with how it ended and the end of what it complained of.
 */
export async function runCommand(command: readonly string[], timeoutMs: number): Promise<void> {
  const [program = '', ...args] = command;
  // The shell that the game day is run from may hold a token: it is none of their business.
  const { STRONGROOM_TOKEN: _, ...env } = process.env;
  const child = spawn(program, args, {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-STDERR_MAX);
  });
  const how = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    // Not "close": what it has started may keep its streams open.
    child.once('exit', (code, signal) => {
      if (code === 0) return resolve('');
      resolve(signal === null ? `exit status ${code}` : `ended by ${signal}`);
    });
  });
  if (how === '') return;
  const said = complaint.trim() === '' ? '' : `: ${complaint.trim()}`;
  throw new Error(`${command.join(' ')} failed (${how})${said}`);
}
