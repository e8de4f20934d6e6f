import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChaosConsole } from '../../src/cli/index.ts';
import { StrongroomError } from '../../src/lib/index.ts';
import { machineClock } from '../grounds/machine-clock.ts';
import { sleep } from '../grounds/sleep.ts';
import { healLeftOver, isHealed, runnerLives } from '../heal/heal-left-over.ts';
import { stopFile } from '../runner/stop-file.ts';

const LOOK_MS = 100;
/** A node that is started again may take a minute to answer. */
const HEALED_MS = 180_000;

/**
 * The kill switch: has the runner of a folder heal and end, and waits until it has. One that has
 * died, or dies over it, is healed after.
 *
 * @returns what this process itself had to undo.
 * @throws StrongroomError `cli.file-unreadable` when no run is in the folder; `cli.not-healed`.
 */
export async function stopRun(folder: string, console: ChaosConsole): Promise<readonly string[]> {
  if (!(await runnerLives(folder))) return healLeftOver(folder);
  await writeFile(join(folder, stopFile), 'Stopped by strongroom chaos stop\n');
  console.say('The runner was told to stop: waiting until it has healed everything');
  const deadline = machineClock.monotonicMs() + HEALED_MS;
  while (machineClock.monotonicMs() < deadline && !console.signal.aborted) {
    if (isHealed(folder)) return [];
    // It may have healed, and removed its state, between the two looks.
    const lives = await runnerLives(folder).catch(() => true);
    if (!lives) return healLeftOver(folder);
    await sleep(machineClock, LOOK_MS, console.signal);
  }
  throw new StrongroomError(
    'cli.not-healed',
    `The run in ${folder} has been told to stop and goes on: end its runner, then strongroom chaos heal`,
  );
}
