import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SeededRandom, StrongroomError } from '../../src/lib/index.ts';
import { faultNamed } from '../faults/catalogue.ts';
import type { Capability } from '../grounds/capabilities.ts';
import type { Ground, StartOptions } from '../grounds/ground.ts';
import { HealPlan } from '../heal/heal-plan.ts';
import type { HealStep } from '../heal/heal-step.ts';
import { writeHistory } from '../history/history-file.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { Progress } from './progress.ts';
import { RECORD_VERSION, type RunRecord, type Verdict } from './record.ts';
import { type PhaseTimes, ScenarioRun } from './scenario-run.ts';
import { watchForStop } from './stop-file.ts';

export interface RunOptions {
  readonly seed: number;
  /** Where the record is written; made when it is not there. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Of the program, for the record. */
  readonly programVersion: string;
  /** The running cluster that it is done to, for the record. */
  readonly target?: RunRecord['target'];
  /** A file whose appearance ends the run as Ctrl-C does, beside the one in the run's folder. */
  readonly stopFile?: string | undefined;
}

/**
 * Runs a scenario on a ground, heals whatever happens, and writes the run's folder: `run.json`,
 * `scenario.yaml`, `histories/`, and the nodes' logs when it failed.
 *
 * @throws StrongroomError `cli.usage` when the ground cannot do it, before anything is touched;
 *   `cluster.start-failed` when there is no cluster to run it on.
 */
export async function runScenario(
  scenario: Scenario,
  ground: Ground,
  wishes: RunOptions,
): Promise<RunRecord> {
  const needs = needsOf(scenario);
  await refuseUnfit(scenario, ground, needs);
  const { folder, seed } = wishes;
  const startedAt = new Date().toISOString();
  const about = { scenario: scenario.name, ground: ground.name, startedAt };
  await mkdir(join(folder, 'histories'), { recursive: true });
  await writeFile(join(folder, 'scenario.yaml'), scenario.text);
  const healPlan = new HealPlan(folder, about);
  using stop = watchForStop(folder, wishes.stopFile);
  const signal = AbortSignal.any([wishes.signal, stop.signal]);
  const options = { ...wishes, signal };
  const say = (text: string) => options.progress({ kind: 'remark', text });
  const cluster = await startOn(ground, scenario, { healPlan, seed, needs, signal, say });
  let record: RunRecord;
  try {
    const run = new ScenarioRun(scenario, cluster, new SeededRandom(seed), options);
    const times = await run.go();
    record = recordOf(scenario, ground, run, times, { ...options, startedAt });
    if (record.verdict.kind !== 'passed') await cluster.collect(join(folder, 'logs'));
    for (const { label, history } of run.uses)
      await writeHistory(join(folder, 'histories', `${label}.ndjson`), history.entries);
  } finally {
    await cluster[Symbol.asyncDispose]();
  }
  if (healPlan.steps.length === 0) healPlan.done();
  else record = { ...record, verdict: notHealed(record.verdict, healPlan.steps, folder) };
  await writeFile(join(folder, 'run.json'), `${JSON.stringify(record, undefined, 1)}\n`);
  options.progress({ kind: 'verdict', verdict: record.verdict, folder });
  return record;
}

async function startOn(ground: Ground, scenario: Scenario, options: StartOptions) {
  try {
    return await ground.start(scenario.cluster, options);
  } catch (error) {
    // Refused before anything was done: nothing is left that a heal could be for.
    if (options.healPlan.steps.length === 0) options.healPlan.done();
    throw error;
  }
}

/** What a ground could not undo by itself stays in the plan; a run that leaves it has failed. */
function notHealed(verdict: Verdict, steps: readonly HealStep[], folder: string): Verdict {
  const because = steps.map(
    ({ what }) => `not healed: could not ${what}; strongroom chaos heal ${folder} tries again`,
  );
  return {
    kind: 'failed',
    because: verdict.kind === 'failed' ? [...because, ...verdict.because] : because,
  };
}

/** What the faults of a scenario ask of a ground. */
function needsOf(scenario: Scenario): ReadonlySet<Capability> {
  return new Set(
    scenario.timeline.flatMap((step) => faultNamed(step.fault).needs(step.parameters)),
  );
}

async function refuseUnfit(
  scenario: Scenario,
  ground: Ground,
  needs: ReadonlySet<Capability>,
): Promise<void> {
  if (!scenario.grounds.includes(ground.name)) {
    throw new StrongroomError(
      'cli.usage',
      `${scenario.file} is for ${scenario.grounds.join(', ')}, not for ${ground.name}`,
    );
  }
  const foreign = scenario.workloads.find((use) => ground.workloads?.has(use.workload) === false);
  if (foreign !== undefined) {
    throw new StrongroomError(
      'cli.usage',
      `Cannot run on ${ground.name}: the workload ${foreign.workload} needs a real vault`,
    );
  }
  const why = await ground.unavailable(scenario.cluster, needs);
  if (why !== undefined)
    throw new StrongroomError('cli.usage', `Cannot run on ${ground.name}: ${why}`);
}

function recordOf(
  scenario: Scenario,
  ground: Ground,
  run: ScenarioRun,
  times: PhaseTimes,
  options: RunOptions & { readonly startedAt: string },
): RunRecord {
  const { name, title, purpose, file, text, cluster } = scenario;
  return {
    version: RECORD_VERSION,
    scenario: { name, title, purpose, file, text },
    ground: ground.name,
    ...(options.target === undefined ? {} : { target: options.target }),
    seed: options.seed,
    program: { version: options.programVersion, node: process.version },
    cluster,
    startedAt: options.startedAt,
    phases: times,
    faults: run.faults,
    samples: run.samples,
    workloads: run.workloadRecords(),
    steadyState: run.steadyState,
    objectives: run.objectives,
    aborted: run.aborted,
    checks: run.checks,
    verdict: run.verdict(),
  };
}
