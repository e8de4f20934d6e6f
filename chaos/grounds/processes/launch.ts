import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

/** What is to run: Node with these arguments. */
export interface Program {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What it prints is added to it. */
  readonly logFile: string;
}

/** A program that was started, wherever that is. */
export interface Launched {
  /** Its number on this machine; undefined when it has none here. */
  readonly pid: number | undefined;
  readonly running: boolean;
  /** Resolves when it is gone, to its exit code, null after a signal. Never rejects. */
  readonly ended: Promise<number | null>;
  /** Resolves when it was sent; nothing happens to one that has ended. */
  signal(name: NodeJS.Signals): Promise<void>;
}

/** Starts a program; resolves when it runs. */
export type Launch = (program: Program) => Promise<Launched>;

/** A process of this machine. */
export const launchHere: Launch = ({ args, environment, logFile }) => {
  const log = createWriteStream(logFile, { flags: 'a' });
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return Promise.resolve({
    pid: child.pid,
    get running() {
      return isRunning();
    },
    ended: exitOf(child),
    signal(name) {
      if (isRunning()) child.kill(name);
      return Promise.resolve();
    },
  });
};

async function exitOf(child: ChildProcess): Promise<number | null> {
  await once(child, 'exit').catch(() => undefined);
  return child.exitCode;
}
