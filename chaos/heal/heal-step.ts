import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { endEngine, removeRun, runLabel } from './engine-leftovers.ts';

interface Described {
  readonly id: string;
  /** In words, for the operator who reads the script. */
  readonly what: string;
}

/** One idempotent step back. Plain data, so that another process can take it. */
export type HealStep = Described &
  (
    | {
        /** Ends every process of this user that has an argument below `folder`. */
        readonly kind: 'end-processes';
        readonly folder: string;
      }
    | { readonly kind: 'remove-folder'; readonly folder: string }
    | {
        /** Removes what has the run's label from the container engine on that socket. */
        readonly kind: 'remove-containers';
        readonly socket: string;
        readonly run: string;
      }
    | {
        /** Ends an engine that was started for a run, unless another run uses it by now. */
        readonly kind: 'end-engine';
        readonly socket: string;
        readonly pidFile: string;
      }
    /** Runs a program, without a shell; its exit status is not looked at. */
    | { readonly kind: 'command'; readonly command: readonly [string, ...string[]] }
    /** Runs a program of the cluster's operator, without a shell; it must succeed. */
    | {
        readonly kind: 'hook';
        readonly command: readonly [string, ...string[]];
        readonly timeoutMs: number;
      }
    /** Runs strongroom itself; it must succeed. */
    | {
        readonly kind: 'strongroom';
        readonly args: readonly string[];
        /** Holds the token that it is to use, which is never written here. */
        readonly tokenFile?: string;
        /** A failure with this code is none: there is nothing to undo. */
        readonly unless?: string;
      }
  );

/** The program that a node and an operator run. */
export const strongroomProgram = new URL('../../dist/cli/main.js', import.meta.url).pathname;

const STRONGROOM_MS = 120_000;

/** Takes one step back. @returns why it could not be taken; undefined when it was. */
export async function takeStep(step: HealStep): Promise<string | undefined> {
  switch (step.kind) {
    case 'end-processes':
      endProcesses(step.folder);
      return undefined;
    case 'remove-folder':
      rmSync(step.folder, { recursive: true, force: true });
      return undefined;
    case 'remove-containers':
      await removeRun(step.socket, step.run);
      // What is still there is told: nobody would look for it.
      return (await removeRun(step.socket, step.run)) > 0
        ? `the engine at ${step.socket} keeps containers or networks of it`
        : undefined;
    case 'end-engine':
      await endEngine(step.socket, step.pidFile);
      return undefined;
    case 'command': {
      const [program, ...args] = step.command;
      spawnSync(program, args, { stdio: 'ignore' });
      return undefined;
    }
    case 'hook': {
      const [program, ...args] = step.command;
      return failureOf(
        spawnSync(program, args, {
          stdio: ['ignore', 'ignore', 'pipe'],
          timeout: step.timeoutMs,
          killSignal: 'SIGKILL',
        }),
      );
    }
    case 'strongroom':
      return runStrongroom(step);
  }
}

function runStrongroom(step: HealStep & { readonly kind: 'strongroom' }): string | undefined {
  const { args, tokenFile, unless } = step;
  let token: string | undefined;
  try {
    token = tokenFile === undefined ? undefined : readFileSync(tokenFile, 'utf8').trim();
  } catch {
    return `cannot read ${tokenFile}`;
  }
  const failure = failureOf(
    spawnSync(process.execPath, [strongroomProgram, ...args, '--format', 'json'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: STRONGROOM_MS,
      env: { ...process.env, ...(token === undefined ? {} : { STRONGROOM_TOKEN: token }) },
    }),
  );
  return unless !== undefined && failure?.includes(unless) === true ? undefined : failure;
}

const STDERR_MAX = 400;

function failureOf(result: ReturnType<typeof spawnSync>): string | undefined {
  if (result.status === 0) return undefined;
  const how = result.error?.message ?? `exit status ${result.status ?? result.signal}`;
  const said = String(result.stderr ?? '').trim();
  return said === '' ? how : `${how}: ${said.slice(-STDERR_MAX)}`;
}

/** The same step for a shell. */
export function shellOf(step: HealStep): string {
  switch (step.kind) {
    case 'end-processes':
      // Told apart by their arguments and not by their numbers, which may be another's by now.
      return [
        'for process in /proc/[0-9]*; do',
        `  tr '\\0' '\\n' < "$process/cmdline" 2>/dev/null | grep -q ${quote(`^${patternOf(`${step.folder}/`)}`)} || continue`,
        '  [ "$process" = "/proc/$$" ] || kill -9 "${process#/proc/}" 2>/dev/null',
        'done',
      ].join('\n');
    case 'remove-folder':
      return `rm -rf -- ${quote(step.folder)}`;
    case 'remove-containers': {
      const docker = `docker -H ${quote(`unix://${step.socket}`)}`;
      const label = `--filter ${quote(`label=${runLabel}=${step.run}`)}`;
      return [
        `${docker} ps -aq ${label} 2>/dev/null | xargs -r ${docker} rm -fv`,
        `${docker} network ls -q ${label} 2>/dev/null | xargs -r ${docker} network rm`,
      ].join('\n');
    }
    case 'end-engine': {
      const docker = `docker -H ${quote(`unix://${step.socket}`)}`;
      const others = `${docker} ps -aq --filter label=${runLabel} 2>/dev/null`;
      return `[ -n "$(${others})" ] || pkill -F ${quote(step.pidFile)} dockerd 2>/dev/null || true`;
    }
    case 'command':
    case 'hook':
      return `${step.command.map(quote).join(' ')} || true`;
    case 'strongroom': {
      const { args, tokenFile } = step;
      const token = tokenFile === undefined ? '' : `STRONGROOM_TOKEN="$(cat ${quote(tokenFile)})" `;
      return `${token}${[process.execPath, strongroomProgram, ...args].map(quote).join(' ')} || true`;
    }
  }
}

function endProcesses(folder: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (args.some((arg) => arg.startsWith(`${folder}/`))) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended meanwhile, or belongs to another user: neither is ours to end.
    }
  }
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const patternOf = (text: string) => text.replaceAll(/[.*[\]^$\\]/g, '\\$&');
