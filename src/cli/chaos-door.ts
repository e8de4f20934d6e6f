import { existsSync } from 'node:fs';
import { StrongroomError } from '../lib/index.ts';
import type { Format, View } from './output/document.ts';

/** What the chaos commands see of the world. */
export interface ChaosConsole {
  readonly format: Format;
  print(view: View): void;
  /** Progress and remarks, on standard error. */
  say(line: string): void;
  /** Standard error is looked at by a person. */
  readonly isTerminal: boolean;
  /** Asks a person; undefined when there is none. */
  ask(question: string): Promise<string | undefined>;
  /** Ctrl-C: heals and ends. */
  readonly signal: AbortSignal;
  readonly programVersion: string;
}

export interface RunWishes {
  /** Its name in the library, or a file. */
  readonly scenario: string;
  readonly ground: string;
  readonly seed: number | undefined;
  /** Folder of the run; one of its own below `chaos-runs` when absent. */
  readonly out: string | undefined;
  readonly live: LiveWishes;
}

/** For the ground "live". */
export interface LiveWishes {
  /** The file that names the running cluster and what its operator allows. */
  readonly target: string | undefined;
  /** The cluster's name, typed beforehand. */
  readonly yes: string | undefined;
}

export interface SimulateWishes {
  readonly scenario: string;
  readonly from: number;
  readonly seeds: number;
}

export interface ReportWishes {
  /** Of the run. */
  readonly folder: string;
  /** Where the page is written; in the run's folder when absent. */
  readonly html: string | undefined;
}

/**
 * All that the command line knows of `chaos/`: a node's release is built without that folder, and
 * nothing else in `src/` may touch it. Each method returns the exit status.
 */
export interface ChaosDoor {
  list(console: ChaosConsole): Promise<number>;
  run(wishes: RunWishes, console: ChaosConsole): Promise<number>;
  simulate(wishes: SimulateWishes, console: ChaosConsole): Promise<number>;
  /** Runs what a run folder records again: the same file, ground and seed. */
  replay(folder: string, live: LiveWishes, console: ChaosConsole): Promise<number>;
  report(wishes: ReportWishes, console: ChaosConsole): Promise<number>;
  heal(folder: string, console: ChaosConsole): Promise<number>;
  /** Ends a run from another terminal: its runner heals, or, when it has died, this does. */
  stop(folder: string, console: ChaosConsole): Promise<number>;
}

/** @throws StrongroomError `cli.usage` in a build without chaos. */
export async function openChaosDoor(): Promise<ChaosDoor> {
  // From a checkout's sources, or from a build: `dist-chaos/` lies beside `dist/`.
  const isSource = import.meta.url.endsWith('.ts');
  const path = isSource ? '../../chaos/cli/door.ts' : '../../dist-chaos/cli/door.js';
  const url = new URL(path, import.meta.url);
  if (!existsSync(url)) {
    throw new StrongroomError(
      'cli.usage',
      'This build of strongroom has no chaos: run it where the operator tools are installed, or from a checkout after npm run build',
    );
  }
  const module = (await import(url.href)) as { readonly chaosDoor: ChaosDoor };
  return module.chaosDoor;
}
