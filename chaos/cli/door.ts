import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { ChaosConsole, ChaosDoor, LiveWishes } from '../../src/cli/index.ts';
import { exitStatus } from '../../src/cli/index.ts';
import { StrongroomError } from '../../src/lib/index.ts';
import { grounds } from '../grounds/catalogue.ts';
import type { Ground } from '../grounds/ground.ts';
import { liveGroundOf } from '../grounds/live/live-ground.ts';
import { readTarget } from '../grounds/live/read-target.ts';
import type { Target } from '../grounds/live/target.ts';
import { healLeftOver } from '../heal/heal-left-over.ts';
import { PAGE, writeReport } from '../report/write-report.ts';
import { fitScenario } from '../runner/fit-scenario.ts';
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
import { stopRun } from './stop-run.ts';
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
    const { ground, out, live } = wishes;
    groundNamed(ground);
    const scenario = await findScenario(wishes.scenario);
    const seed = wishes.seed ?? Math.floor(Math.random() * SEEDS);
    return runAndShow(await placeOf(scenario, ground, live, console), seed, out, console);
  },
  async simulate(wishes, console) {
    const ground = groundNamed('simulation');
    const scenario = await findScenario(wishes.scenario);
    return simulateSeeds(scenario, ground, { ...wishes, runs: RUNS }, console);
  },
  async replay(folder, live, console) {
    const { scenario: written, ground, seed } = await readRecord(folder);
    const scenario = parseScenario(written.file, written.text, vocabulary);
    return runAndShow(await placeOf(scenario, ground, live, console), seed, undefined, console);
  },
  async report({ folder, html }, console) {
    const record = await readRecord(folder);
    const page = html ?? join(folder, PAGE);
    await writeReport(page, record, folder);
    console.print(verdictView(record, folder, page));
    return statusOf(record);
  },
  async heal(folder, console) {
    showUndone(await healLeftOver(resolve(folder)), console);
    return exitStatus.ok;
  },
  async stop(folder, console) {
    showUndone(await stopRun(resolve(folder), console), console);
    return exitStatus.ok;
  },
};

function showUndone(undone: readonly string[], console: ChaosConsole): void {
  console.print({
    document: { undone },
    table: () => undone.map((step) => `done: ${step}\n`).join(''),
  });
}

/** A scenario, and where it is to run. */
interface Staging {
  readonly scenario: Scenario;
  readonly ground: Ground;
  readonly target?: Target;
}

/** On a running cluster: read, found to be allowed, and confirmed, before anything is touched. */
async function placeOf(
  scenario: Scenario,
  ground: string,
  live: LiveWishes,
  console: ChaosConsole,
): Promise<Staging> {
  if (ground !== 'live') {
    if (live.target !== undefined || live.yes !== undefined)
      throw new StrongroomError('cli.usage', '--target and --yes are for --on live');
    return { scenario, ground: groundNamed(ground) };
  }
  if (live.target === undefined) return { scenario, ground: groundNamed(ground) };
  const names = vocabulary.faults.map((fault) => fault.name);
  const target = await readTarget(live.target, names);
  const fitted = fitScenario(scenario, target);
  await confirm(target, live.yes, console);
  return { scenario: fitted, ground: liveGroundOf(target), target };
}

async function confirm(
  target: Target,
  yes: string | undefined,
  console: ChaosConsole,
): Promise<void> {
  const { name, clusterId } = target;
  const question = `Faults will be done to the running cluster "${name}" (${clusterId}). Its name, to go on: `;
  const typed = yes ?? (await console.ask(question));
  if (typed?.trim() === name) return;
  const why =
    typed === undefined
      ? `say --yes ${name}, since there is no terminal to type it on`
      : `"${typed}" is not the name of the cluster in ${target.file}, which is "${name}"`;
  throw new StrongroomError('cli.usage', `Nothing was done: ${why}`);
}

async function runAndShow(
  { scenario, ground, target }: Staging,
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
    progress: progressLines(scenario, console, target),
    programVersion: console.programVersion,
    ...(target === undefined
      ? {}
      : {
          target: { name: target.name, cluster: target.clusterId },
          stopFile: target.stopFile,
        }),
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
