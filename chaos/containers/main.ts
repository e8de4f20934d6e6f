/**
 * `npm run chaos:containers` runs scenarios of the library in containers of a real engine, and prints
 * what came of them: leader loss, the loss of a region 80 ms away, and an HSM outage, or others.
 *
 *   npm run chaos:containers -- --only leader-loss,split-brain
 *   npm run chaos:containers -- --only all               every one that can run in containers
 *   npm run chaos:containers -- --seed 7
 *
 * Ends with status 3 when a run failed, and keeps the folders of failed runs. Where there is no
 * engine and none can be started it says so, and ends with status 0.
 */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { renderTable } from '../../src/cli/index.ts';
import { findScenario, libraryNames } from '../cli/library.ts';
import { progressLines } from '../cli/progress-lines.ts';
import { containerGround } from '../grounds/containers/container-ground.ts';
import type { RunRecord } from '../runner/record.ts';
import { runScenario } from '../runner/run-scenario.ts';
import type { Scenario } from '../scenario/scenario.ts';

const FAILED_STATUS = 3;
const standard = ['leader-loss', 'far-regions', 'hsm-outage'];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});
const seed = Number(values.seed);
if (!Number.isSafeInteger(seed)) throw new Error('--seed is a number');

const say = (text: string) => process.stderr.write(`${text}\n`);
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());

async function chosen(): Promise<readonly Scenario[]> {
  const names = values.only === 'all' ? libraryNames() : (values.only?.split(',') ?? standard);
  const scenarios = await Promise.all(names.map((name) => findScenario(name)));
  return scenarios.filter((one) => one.grounds.includes('containers'));
}

async function runOne(scenario: Scenario): Promise<RunRecord | Error> {
  const folder = resolve(`chaos-runs/containers-${scenario.name}-${seed}-${Date.now()}`);
  try {
    const record = await runScenario(scenario, containerGround, {
      seed,
      folder,
      signal: interrupted.signal,
      progress: progressLines(scenario, { say }),
      programVersion: 'containers',
    });
    if (record.verdict.kind === 'passed') await rm(folder, { recursive: true, force: true });
    else say(`${scenario.name}: the record is in ${folder}`);
    return record;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const head = [
  'Scenario',
  'Verdict',
  'Operations',
  'Recovery after faults',
  'after heals',
  'Checks',
];

function rowOf(name: string, result: RunRecord | Error): readonly string[] {
  if (result instanceof Error) return [name, `failed: ${result.message}`, '', '', '', ''];
  const { verdict, workloads, faults, checks } = result;
  const inMs = (ms: number | null) => (ms === null ? 'never' : `${Math.round(ms)} ms`);
  const recoveries = (pick: 'injection' | 'heal') =>
    faults.flatMap(({ recovery }) => {
      const found = recovery?.[pick];
      return found === undefined ? [] : [inMs(found)];
    });
  return [
    name,
    verdict.kind === 'failed' ? `failed: ${verdict.because.join('; ')}` : verdict.kind,
    String(workloads.reduce((sum, one) => sum + one.ok, 0)),
    recoveries('injection').join(', '),
    recoveries('heal').join(', '),
    checks.map((check) => `${check.name} ${check.kind}`).join(', '),
  ];
}

async function main(): Promise<void> {
  const scenarios = await chosen();
  const rows: (readonly string[])[] = [];
  for (const scenario of scenarios) {
    if (interrupted.signal.aborted) break;
    const result = await runOne(scenario);
    if (result instanceof Error || result.verdict.kind !== 'passed')
      process.exitCode = FAILED_STATUS;
    rows.push(rowOf(scenario.name, result));
  }
  process.stdout.write(renderTable(head, rows));
}

const [first] = await chosen();
const why =
  first === undefined
    ? 'none of these scenarios runs in containers'
    : await containerGround.unavailable(first.cluster, new Set());
if (why === undefined) await main();
else say(`Skipped: ${why}`);
