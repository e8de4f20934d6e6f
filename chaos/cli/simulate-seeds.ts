import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type ChaosConsole, exitStatus } from '../../src/cli/index.ts';
import type { Ground } from '../grounds/ground.ts';
import { PAGE, writeReport } from '../report/write-report.ts';
import type { RunRecord } from '../runner/record.ts';
import { runScenario } from '../runner/run-scenario.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { shrinkFailure } from '../shrink/shrink-failure.ts';
import { vocabulary } from '../vocabulary.ts';
import { verdictView } from './verdict-view.ts';

const TOLD_EVERY = 10;

export interface SeedWishes {
  readonly from: number;
  readonly seeds: number;
  /** Where the folder of a failing run is made. */
  readonly runs: string;
}

/** Runs a scenario for many seeds; stops at the first that fails, makes it small, and shows it. */
export async function simulateSeeds(
  scenario: Scenario,
  ground: Ground,
  wishes: SeedWishes,
  console: ChaosConsole,
): Promise<number> {
  const totals = { seeds: 0, operations: 0, faults: 0, simulatedMs: 0 };
  for (let seed = wishes.from; seed < wishes.from + wishes.seeds; seed++) {
    if (console.signal.aborted) return exitStatus.interrupted;
    const record = await runQuietly(scenario, ground, seed, console);
    if (record.verdict.kind === 'interrupted') return exitStatus.interrupted;
    if (record.verdict.kind === 'failed') {
      await showFailure(scenario, ground, record, wishes.runs, console);
      return exitStatus.failedCheck;
    }
    totals.seeds += 1;
    totals.faults += record.faults.length;
    totals.operations += record.workloads.reduce((sum, one) => sum + one.ok, 0);
    totals.simulatedMs += record.phases.at(-1)?.to ?? 0;
    if (totals.seeds % TOLD_EVERY === 0)
      console.say(`${totals.seeds} of ${wishes.seeds} seeds passed`);
  }
  console.print({
    document: totals,
    table: () =>
      `${totals.seeds} seeds passed: ${totals.operations} operations, ${totals.faults} faults, ` +
      `${Math.round(totals.simulatedMs / 1_000)} simulated seconds\n`,
  });
  return exitStatus.ok;
}

/** Nothing is kept of it. */
async function runQuietly(
  scenario: Scenario,
  ground: Ground,
  seed: number,
  console: ChaosConsole,
): Promise<RunRecord> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-simulation-'));
  try {
    return await runScenario(scenario, ground, optionsOf(seed, folder, console));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function showFailure(
  scenario: Scenario,
  ground: Ground,
  failed: RunRecord,
  runs: string,
  console: ChaosConsole,
): Promise<void> {
  const { seed } = failed;
  console.say(`Seed ${seed} fails: making it small`);
  const shrunk = await shrinkFailure(scenario, failed, {
    seed,
    words: vocabulary,
    run: (smaller) => runQuietly(smaller, ground, seed, console),
    say: (line) => console.say(`  ${line}`),
  });
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-');
  const folder = resolve(`${runs}/${scenario.name}-${stamp}-${seed}`);
  const shown = shrunk?.scenario ?? scenario;
  // Once more, into a folder that stays; the same seed gives the same run.
  const record = await runScenario(shown, ground, optionsOf(seed, folder, console));
  await writeFile(join(folder, 'original.yaml'), scenario.text);
  const page = join(folder, PAGE);
  await writeReport(page, record, folder);
  console.print(verdictView(record, folder, page));
  if (shrunk === undefined)
    console.say('It could not be made small: with its faults written out it does not fail again');
  else
    console.say(
      `Made small in ${shrunk.runs} runs: ${shrunk.faults} of ${shrunk.faultsBefore} faults. ` +
        `Replay: strongroom chaos replay ${folder}`,
    );
}

function optionsOf(seed: number, folder: string, console: ChaosConsole) {
  return {
    seed,
    folder,
    signal: console.signal,
    progress: () => {},
    programVersion: console.programVersion,
  };
}
