import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findScenario } from '../cli/library.ts';
import type { Ground } from '../grounds/ground.ts';
import { writeReport } from '../report/write-report.ts';
import { runScenario } from '../runner/run-scenario.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { formatDuration } from '../scenario/units.ts';
import type { LongOptions } from './options.ts';
import { type RunResult, resultOf } from './result.ts';
import type { ResultsFile } from './results-file.ts';

/** A scenario whose cluster does not even start is not tried for ten minutes. */
const BROKEN_IN_A_ROW_MAX = 3;

export interface LongParts {
  readonly ground: Ground;
  readonly results: ResultsFile;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly nowMs: () => number;
  readonly programVersion: string;
}

/** Runs each scenario for its time; whatever one comes to, the next follows. */
export async function runLong(options: LongOptions, parts: LongParts): Promise<void> {
  const { ground, say, signal } = parts;
  for (const [at, name] of options.scenarios.entries()) {
    if (signal.aborted) return;
    const scenario = await findScenario(name);
    const place = `[${at + 1}/${options.scenarios.length}] ${name}`;
    if (!scenario.grounds.includes(ground.name)) {
      say(`${place}: is not for ${ground.name}`);
      continue;
    }
    await runFor(scenario, place, options, parts);
  }
}

async function runFor(
  scenario: Scenario,
  place: string,
  options: LongOptions,
  parts: LongParts,
): Promise<void> {
  const { results, say, signal } = parts;
  let broken = 0;
  while (!signal.aborted) {
    const { ranMs, nextSeed } = results.so(scenario.name, options.fromSeed);
    if (ranMs >= options.forMs) return;
    say(
      `${place}, seed ${nextSeed}: ${formatDuration(ranMs)} of ${formatDuration(options.forMs)} done`,
    );
    const result = await runOnce(scenario, nextSeed, options, parts);
    if (result === undefined) return;
    await results.add(result);
    say(`${place}, seed ${nextSeed}: ${result.verdict}${reasons(result)}`);
    broken = result.verdict === 'broke' ? broken + 1 : 0;
    if (broken === BROKEN_IN_A_ROW_MAX) {
      say(`${place}: given up, it broke ${broken} times in a row`);
      return;
    }
  }
}

const reasons = ({ because, folder }: RunResult) =>
  [...because.map((why) => `\n    - ${why}`), folder === undefined ? '' : `\n    ${folder}`].join(
    '',
  );

/** @returns undefined when it was interrupted: it then says nothing. */
async function runOnce(
  scenario: Scenario,
  seed: number,
  options: LongOptions,
  { ground, signal, nowMs, programVersion }: LongParts,
): Promise<RunResult | undefined> {
  const folder = join(options.folder, `${scenario.name}-${seed}`);
  // Left by a long run that was ended in the midst of it.
  await rm(folder, { recursive: true, force: true });
  const startedMs = nowMs();
  try {
    const record = await runScenario(scenario, ground, {
      seed,
      folder,
      signal,
      progress: () => {},
      programVersion,
    });
    if (record.verdict.kind === 'interrupted') {
      await rm(folder, { recursive: true, force: true });
      return undefined;
    }
    if (record.verdict.kind === 'passed') await rm(folder, { recursive: true, force: true });
    else await writeReport(join(folder, 'report.html'), record, folder);
    return { ...resultOf(record, folder), durationMs: nowMs() - startedMs };
  } catch (error) {
    if (signal.aborted) return undefined;
    const because = [error instanceof Error ? error.message : String(error)];
    const nothing = { operations: 0, faults: [], checks: [] };
    const durationMs = nowMs() - startedMs;
    const { name } = scenario;
    return { scenario: name, seed, verdict: 'broke', because, folder, durationMs, ...nothing };
  }
}
