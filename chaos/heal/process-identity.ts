import { readFileSync } from 'node:fs';

/** A process, told apart from a later one that was given the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** In ticks since the machine's start; empty where the system does not say. */
  readonly started: string;
}

const STARTED_FIELD = 19;

export function processIdentity(pid: number): ProcessIdentity {
  return { pid, started: startOf(pid) ?? '' };
}

/** Whether that very process still runs. */
export function isRunning(process: ProcessIdentity): boolean {
  const started = startOf(process.pid);
  return started !== undefined && started === process.started;
}

function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name, in parentheses, may hold anything: fields are counted after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie runs no more.
    return fields[0] === 'Z' ? undefined : fields[STARTED_FIELD];
  } catch {
    return undefined;
  }
}
