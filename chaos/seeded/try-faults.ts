import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RunRecord } from '../runner/record.ts';
import { type Catch, caughtBy } from './caught-by.ts';
import { MutatedCopy } from './mutated-copy.ts';
import { type RunWishes, runOnce } from './one-run.ts';
import type { SeededFault, Trial } from './seeded-fault.ts';

export interface TryOptions {
  /** The folder with `src/`, `chaos/` and a built `dist/`. */
  readonly project: string;
  readonly seeds: readonly number[];
  /** Scenarios are not run without a fault. */
  readonly isFaultsOnly: boolean;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** One run of a scenario: with a fault, or as the product is. */
export interface TrialResult {
  /** Absent: nothing was seeded, and the scenario must pass. */
  readonly fault?: string;
  readonly scenario: string;
  readonly ground: Trial['ground'];
  readonly seed: number;
  readonly seconds: number;
  readonly isGood: boolean;
  /** What caught the fault; with none: why the run was not as it must be. */
  readonly by: readonly Catch[];
  readonly because: string;
}

export interface SeededReport {
  readonly isGood: boolean;
  readonly results: readonly TrialResult[];
}

interface Chosen {
  readonly fault: SeededFault;
  readonly trials: readonly Trial[];
}

/**
 * The faults of those names, or with trials in scenarios of those names, on one ground; all of what
 * is absent. @throws Error for a name that nothing has.
 */
export function chosenFrom(
  faults: readonly SeededFault[],
  wanted: { readonly names?: readonly string[] | undefined; readonly ground?: string | undefined },
): readonly Chosen[] {
  const { names, ground } = wanted;
  const trials = faults.flatMap((fault) => fault.trials.map((trial) => ({ fault, trial })));
  const known = trials.flatMap(({ fault, trial }) => [fault.name, trial.scenario]);
  const unknown = names?.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`No seeded fault or scenario is called "${unknown}"`);
  if (ground !== undefined && trials.every(({ trial }) => trial.ground !== ground))
    throw new Error(`No seeded fault is tried on "${ground}"`);
  return faults.flatMap((fault) => {
    const chosen = fault.trials.filter(
      (trial) =>
        (names === undefined || names.includes(fault.name) || names.includes(trial.scenario)) &&
        (ground === undefined || ground === trial.ground),
    );
    return chosen.length === 0 ? [] : [{ fault, trials: chosen }];
  });
}

/** First each scenario without any fault, then each fault. */
export async function tryFaults(
  chosen: readonly Chosen[],
  options: TryOptions,
): Promise<SeededReport> {
  const results: TrialResult[] = [];
  const note = (result: TrialResult | undefined) => {
    if (result === undefined) return;
    results.push(result);
    options.say(progressLine(result));
  };
  const trials = options.isFaultsOnly ? [] : chosen.flatMap((one) => one.trials);
  for (const trial of new Map(trials.map((one) => [`${one.scenario} ${one.ground}`, one])).values())
    for (const seed of options.seeds) {
      if (options.signal.aborted) break;
      note(await tryOnce(trial, seed, options, { run: runOnce }));
    }
  for (const { fault, trials: of } of chosen) {
    if (options.signal.aborted) break;
    await tryFault(fault, of, options, note);
  }
  return { isGood: results.every((result) => result.isGood), results };
}

/** A word that is not "ok" or "caught" is what to look for in a long list. */
function progressLine({
  fault,
  scenario,
  ground,
  seed,
  seconds,
  isGood,
  by,
  because,
}: TrialResult) {
  const mark = fault === undefined ? (isGood ? 'ok    ' : 'FALSE ') : isGood ? 'caught' : 'MISSED';
  const why = by.length > 0 ? by.map((one) => `${one.by}: ${one.because}`).join('; ') : because;
  const what = `${fault ?? 'nothing seeded'} in ${scenario} on ${ground}`;
  return `${mark} ${what}, seed ${seed}, ${seconds.toFixed(1)} s${why === '' ? '' : `: ${why}`}`;
}

interface Subject {
  readonly fault?: SeededFault;
  readonly run: (wishes: RunWishes) => Promise<RunRecord>;
  readonly program?: string;
}

async function tryFault(
  fault: SeededFault,
  trials: readonly Trial[],
  options: TryOptions,
  note: (result: TrialResult | undefined) => void,
): Promise<void> {
  using copy = new MutatedCopy(options.project, fault.patches);
  const program = trials.some(({ ground }) => ground === 'processes') ? copy.build() : undefined;
  for (const trial of trials) {
    // Processes run the copy's program, and all that judges them is as it was.
    const subject: Subject =
      trial.ground === 'simulation'
        ? { fault, run: await runOnceIn(copy) }
        : { fault, run: runOnce, ...(program === undefined ? {} : { program }) };
    for (const seed of options.seeds) {
      if (options.signal.aborted) return;
      note(await tryOnce(trial, seed, options, subject));
    }
  }
}

/** The simulation's nodes are in the process that runs it: so is the copy. */
async function runOnceIn(copy: MutatedCopy): Promise<Subject['run']> {
  const path = pathToFileURL(join(copy.folder, 'chaos/seeded/one-run.ts')).href;
  return ((await import(path)) as { readonly runOnce: Subject['run'] }).runOnce;
}

/** @returns undefined when it was interrupted: it says nothing then. */
async function tryOnce(
  trial: Trial,
  seed: number,
  { project, signal }: TryOptions,
  { fault, run, program }: Subject,
): Promise<TrialResult | undefined> {
  const { scenario, ground } = trial;
  const file = join(project, 'chaos/seeded/scenarios', `${scenario}.yaml`);
  const startedAt = performance.now();
  const about = { ...(fault === undefined ? {} : { fault: fault.name }), scenario, ground, seed };
  const seconds = () => (performance.now() - startedAt) / 1_000;
  const failed = (because: string): TrialResult => ({
    ...about,
    seconds: seconds(),
    isGood: false,
    by: [],
    because,
  });
  let record: RunRecord;
  try {
    const wishes = { file, ground, seed, signal };
    record = await run(program === undefined ? wishes : { ...wishes, program });
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
  const { verdict } = record;
  if (verdict.kind === 'interrupted') return undefined;
  const because = verdict.kind === 'failed' ? verdict.because.join('; ') : verdict.kind;
  if (fault === undefined && verdict.kind !== 'passed') return failed(because);
  const by = fault === undefined ? [] : caughtBy(record, trial);
  if (fault !== undefined && by.length === 0) return failed(because);
  return { ...about, seconds: seconds(), isGood: true, by, because: '' };
}
