import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';

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
    /** Runs a program, without a shell; its exit status is not looked at. */
    | { readonly kind: 'command'; readonly command: readonly [string, ...string[]] }
  );

/** Takes one step back. */
export function takeStep(step: HealStep): void {
  switch (step.kind) {
    case 'end-processes':
      endProcesses(step.folder);
      return;
    case 'remove-folder':
      rmSync(step.folder, { recursive: true, force: true });
      return;
    case 'command': {
      const [program, ...args] = step.command;
      spawnSync(program, args, { stdio: 'ignore' });
      return;
    }
  }
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
    case 'command':
      return `${step.command.map(quote).join(' ')} || true`;
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
