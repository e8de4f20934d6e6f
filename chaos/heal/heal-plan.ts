import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HealStep, shellOf } from './heal-step.ts';
import { type ProcessIdentity, processIdentity } from './process-identity.ts';

/** What `chaos heal` reads. */
export interface HealState {
  readonly version: 1;
  readonly scenario: string;
  readonly ground: string;
  /** Process of the runner: while it lives, it heals by itself. */
  readonly runner: ProcessIdentity;
  readonly startedAt: string;
  /** In the order in which they were added; undone from the last to the first. */
  readonly steps: readonly HealStep[];
}

export const healStateFile = 'state.json';
export const healScriptFile = 'heal.sh';

/**
 * The way back, on disk before each step away: a runner that is killed leaves `state.json` for
 * `strongroom chaos heal`, and `heal.sh` for a machine without strongroom.
 */
export class HealPlan {
  readonly folder: string;
  readonly #about: Pick<HealState, 'scenario' | 'ground' | 'startedAt'>;
  #steps: readonly HealStep[] = [];

  /** Writes an empty plan at once, so that an unwritable folder is met before anything is done. */
  constructor(folder: string, about: Pick<HealState, 'scenario' | 'ground' | 'startedAt'>) {
    this.folder = folder;
    this.#about = about;
    mkdirSync(folder, { recursive: true });
    this.#write();
  }

  get steps(): readonly HealStep[] {
    return this.#steps;
  }

  /** Adds a step before what it undoes is done. The same step twice is one. */
  add(step: HealStep): void {
    this.#steps = [...this.#steps.filter((one) => one.id !== step.id), step];
    this.#write();
  }

  /** Forgets a step whose work was done. */
  remove(id: string): void {
    if (!this.#steps.some((step) => step.id === id)) return;
    this.#steps = this.#steps.filter((step) => step.id !== id);
    this.#write();
  }

  /** Everything is as it was: the files would only mislead. */
  done(): void {
    for (const name of [healStateFile, healScriptFile])
      rmSync(join(this.folder, name), { force: true });
  }

  // Synchronous, and by renaming: what is about to be done must not begin before this is there.
  #write(): void {
    const state: HealState = {
      version: 1,
      ...this.#about,
      runner: processIdentity(process.pid),
      steps: this.#steps,
    };
    this.#replace(healStateFile, `${JSON.stringify(state, undefined, 2)}\n`, 0o600);
    this.#replace(healScriptFile, scriptOf(this.#steps), 0o700);
  }

  #replace(name: string, text: string, mode: number): void {
    const path = join(this.folder, name);
    writeFileSync(`${path}.new`, text, { mode });
    renameSync(`${path}.new`, path);
  }
}

function scriptOf(steps: readonly HealStep[]): string {
  const lines = [...steps].reverse().map((step) => `# ${step.what}\n${shellOf(step)}\n`);
  return `#!/bin/sh\n# Undoes what this chaos run has left. Safe to run again.\n${lines.join('\n')}`;
}
