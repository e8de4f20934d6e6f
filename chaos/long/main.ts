/**
 * `npm run chaos:long` runs every scenario of the library on local processes, each again and again
 * for ten minutes and with another seed each time, and prints what came of them.
 *
 *   npm run chaos:long -- --minutes 2                  a shorter time for each
 *   npm run chaos:long -- --only leader-loss,storms    some of them
 *   npm run chaos:long -- --from 100                   the first seed
 *
 * Ends with status 3 when a run failed; the folders of failed runs are kept.
 */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { renderTable } from '../../src/cli/index.ts';
import { findScenario, libraryNames } from '../cli/library.ts';
import { processGround } from '../grounds/processes/process-ground.ts';
import type { RunRecord } from '../runner/record.ts';
import { runScenario } from '../runner/run-scenario.ts';
import type { Scenario } from '../scenario/scenario.ts';

const FAILED_STATUS = 3;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    only: { type: 'string' },
    from: { type: 'string', default: '1' },
  },
});
const [minutes, from] = [Number(values.minutes), Number(values.from)];
if (!(minutes > 0) || !Number.isSafeInteger(from))
  throw new Error('--minutes and --from are numbers');

interface Result {
  readonly scenario: string;
  runs: number;
  passed: number;
  operations: number;
  faults: number;
  worstRecoveryMs: number;
  readonly because: string[];
}

const say = (text: string) => process.stderr.write(`${text}\n`);
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());

async function runFor(scenario: Scenario): Promise<Result> {
  const { name } = scenario;
  const result: Result = {
    scenario: name,
    runs: 0,
    passed: 0,
    operations: 0,
    faults: 0,
    worstRecoveryMs: 0,
    because: [],
  };
  const until = performance.now() + minutes * 60_000;
  for (let seed = from; performance.now() < until && !interrupted.signal.aborted; seed++) {
    const folder = resolve(`chaos-runs/long-${name}-${seed}-${Date.now()}`);
    const record = await runScenario(scenario, processGround, {
      seed,
      folder,
      signal: interrupted.signal,
      progress: () => {},
      programVersion: 'long',
    });
    note(result, record);
    say(`${name}, seed ${seed}: ${record.verdict.kind}`);
    if (record.verdict.kind === 'passed') await rm(folder, { recursive: true, force: true });
    else result.because.push(`seed ${seed} in ${folder}`);
  }
  return result;
}

function note(result: Result, record: RunRecord): void {
  result.runs += 1;
  if (record.verdict.kind === 'passed') result.passed += 1;
  result.faults += record.faults.length;
  result.operations += record.workloads.reduce((sum, one) => sum + one.ok, 0);
  const worst = Math.max(0, ...record.faults.map((fault) => fault.recovery?.injection ?? 0));
  result.worstRecoveryMs = Math.max(result.worstRecoveryMs, worst);
}

const wanted = values.only?.split(',') ?? libraryNames();
const results: Result[] = [];
for (const name of wanted) {
  const scenario = await findScenario(name);
  if (!scenario.grounds.includes('processes')) continue;
  if (interrupted.signal.aborted) break;
  results.push(await runFor(scenario));
}
const head = ['Scenario', 'Runs', 'Passed', 'Operations', 'Faults', 'Slowest recovery', 'Failed'];
const rows = results.map((one) => [
  one.scenario,
  String(one.runs),
  String(one.passed),
  String(one.operations),
  String(one.faults),
  `${Math.round(one.worstRecoveryMs)} ms`,
  one.because.join('; '),
]);
process.stdout.write(renderTable(head, rows));
if (results.some((one) => one.passed < one.runs)) process.exitCode = FAILED_STATUS;
