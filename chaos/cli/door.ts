import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { ChaosConsole, ChaosDoor } from '../../src/cli/index.ts';
import { exitStatus } from '../../src/cli/index.ts';
import { StrongroomError } from '../../src/lib/index.ts';
import { grounds } from '../grounds/catalogue.ts';
import type { Ground } from '../grounds/ground.ts';
import { healLeftOver } from '../heal/heal-left-over.ts';
import { PAGE, writeReport } from '../report/write-report.ts';
import { readRecord } from '../runner/read-record.ts';
import type { RunRecord } from '../runner/record.ts';
import { runScenario } from '../runner/run-scenario.ts';
import { unknownWord } from '../scenario/assertion.ts';
import { parseScenario } from '../scenario/parse-scenario.ts';
import { groundNames, type Scenario } from '../scenario/scenario.ts';
import { vocabulary } from '../vocabulary.ts';
import { findScenario } from './library.ts';
import { listView } from './list-view.ts';
import { progressLines } from './progress-lines.ts';
import { simulateSeeds } from './simulate-seeds.ts';
import { verdictView } from './verdict-view.ts';

/** Of a run, in its folder. */
const RUNS = 'chaos-runs';
const SEEDS = 2 ** 31;

/** What `strongroom chaos` does. */
export const chaosDoor: ChaosDoor = {
  async list(console) {
    console.print(await listView());
    return exitStatus.ok;
  },
  async run(wishes, console) {
    const ground = groundNamed(wishes.ground);
    const scenario = await findScenario(wishes.scenario);
    const seed = wishes.seed ?? Math.floor(Math.random() * SEEDS);
    return runAndShow(scenario, ground, seed, wishes.out, console);
  },
  async simulate(wishes, console) {
    const ground = groundNamed('simulation');
    const scenario = await findScenario(wishes.scenario);
    return simulateSeeds(scenario, ground, { ...wishes, runs: RUNS }, console);
  },
  async replay(folder, console) {
    const record = await readRecord(folder);
    const scenario = parseScenario(record.scenario.file, record.scenario.text, vocabulary);
    return runAndShow(scenario, groundNamed(record.ground), record.seed, undefined, console);
  },
  async report({ folder, html }, console) {
    const record = await readRecord(folder);
    const page = html ?? join(folder, PAGE);
    await writeReport(page, record, folder);
    console.print(verdictView(record, folder, page));
    return statusOf(record);
  },
  async heal(folder, console) {
    const undone = await healLeftOver(resolve(folder));
    console.print({
      document: { undone },
      table: () => undone.map((step) => `done: ${step}\n`).join(''),
    });
    return exitStatus.ok;
  },
};

async function runAndShow(
  scenario: Scenario,
  ground: Ground,
  seed: number,
  out: string | undefined,
  console: ChaosConsole,
): Promise<number> {
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-');
  const folder = resolve(out ?? `${RUNS}/${scenario.name}-${stamp}-${seed}`);
  await refuseUsed(folder);
  const record = await runScenario(scenario, ground, {
    seed,
    folder,
    signal: console.signal,
    progress: progressLines(scenario, console),
    programVersion: console.programVersion,
  });
  const page = join(folder, PAGE);
  try {
    await writeReport(page, record, nearPath(folder));
  } finally {
    // What the run came to is told whatever becomes of its page.
    console.print(verdictView(record, nearPath(folder), nearPath(page)));
  }
  return statusOf(record);
}

/** As it is written from here; a folder elsewhere by its whole path. */
function nearPath(path: string): string {
  const near = relative('', path);
  return near.startsWith('..') ? path : near;
}

/** Never over another run: its heal script may still be needed. */
async function refuseUsed(folder: string): Promise<void> {
  for (const name of ['run.json', 'state.json']) {
    const isThere = await readFile(`${folder}/${name}`).then(
      () => true,
      () => false,
    );
    if (isThere)
      throw new StrongroomError('cli.file-exists', `${folder} holds a run already: name another`);
  }
}

function groundNamed(name: string): Ground {
  const found = Object.entries(grounds).find(([key]) => key === name)?.[1];
  if (found !== undefined) return found;
  const isKnown = (groundNames as readonly string[]).includes(name);
  throw new StrongroomError(
    'cli.usage',
    isKnown
      ? `This build has no ground "${name}": choose ${Object.keys(grounds).join(', ')}`
      : unknownWord('ground', name, groundNames),
  );
}

function statusOf({ verdict }: RunRecord): number {
  switch (verdict.kind) {
    case 'passed':
      return exitStatus.ok;
    case 'failed':
      return exitStatus.failedCheck;
    case 'interrupted':
      return exitStatus.interrupted;
  }
}
