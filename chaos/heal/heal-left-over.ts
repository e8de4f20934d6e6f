import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StrongroomError } from '../../src/lib/index.ts';
import { type HealState, healScriptFile, healStateFile } from './heal-plan.ts';
import { type HealStep, takeStep } from './heal-step.ts';
import { isRunning } from './process-identity.ts';

/**
 * Undoes what a runner that died has left in its run folder. Safe to call again.
 *
 * @returns what was undone, in words.
 * @throws StrongroomError `cli.file-unreadable`; `cli.usage` while the runner still lives;
 *   `cli.not-healed` with what could not be undone, which stays in the folder.
 */
export async function healLeftOver(folder: string): Promise<readonly string[]> {
  const state = await readState(folder);
  if (isRunning(state.runner)) {
    throw new StrongroomError(
      'cli.usage',
      `The run in ${folder} still goes on (process ${state.runner.pid}): stop it with Ctrl-C, it heals by itself`,
    );
  }
  const steps = [...state.steps].reverse();
  const failed: { step: HealStep; why: string }[] = [];
  for (const step of steps) {
    const why = await takeStep(step);
    if (why !== undefined) failed.push({ step, why });
  }
  if (failed.length > 0) {
    const left = state.steps.filter((step) => failed.some((one) => one.step === step));
    await writeFile(join(folder, healStateFile), `${JSON.stringify({ ...state, steps: left })}\n`);
    const reasons = failed.map(({ step, why }) => `cannot ${step.what}: ${why}`);
    throw new StrongroomError(
      'cli.not-healed',
      `Not everything in ${folder} was undone; try again, or do it by hand as ${healScriptFile} says\n${reasons.join('\n')}`,
    );
  }
  for (const name of [healStateFile, healScriptFile]) await rm(join(folder, name), { force: true });
  return steps.map((step) => step.what);
}

/** Whether the runner of a folder still runs. @throws StrongroomError `cli.file-unreadable` */
export async function runnerLives(folder: string): Promise<boolean> {
  return isRunning((await readState(folder)).runner);
}

/** Whether nothing is left to undo. */
export function isHealed(folder: string): boolean {
  return !existsSync(join(folder, healStateFile));
}

async function readState(folder: string): Promise<HealState> {
  try {
    const state = JSON.parse(await readFile(join(folder, healStateFile), 'utf8')) as HealState;
    if (state.version === 1) return state;
  } catch (cause) {
    throw new StrongroomError(
      'cli.file-unreadable',
      `Nothing to heal in ${folder}: it has no readable ${healStateFile}`,
      { cause },
    );
  }
  throw new StrongroomError('cli.file-unreadable', `${folder} is of another version of strongroom`);
}
