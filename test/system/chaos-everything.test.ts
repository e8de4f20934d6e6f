import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findScenario } from '../../chaos/cli/library.ts';
import { faultNamed } from '../../chaos/faults/catalogue.ts';
import { missingFor } from '../../chaos/grounds/processes/apparatus.ts';
import { readRecord } from '../../chaos/runner/read-record.ts';

const cli = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const scenario = await findScenario('everything');
const needs = new Set(
  scenario.timeline.flatMap((step) => faultNamed(step.fault).needs(step.parameters)),
);
const missing = missingFor(scenario.cluster, needs);
if (missing !== undefined) console.warn(`Not everything is tried on real processes: ${missing}`);

test.skipIf(missing !== undefined)(
  'nothing that Strongroom promises breaks in three minutes of every kind of trouble',
  { timeout: 420_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'strongroom-everything-'));
    // Of a failure the record says why, and its replay is the next step: it outlives the test.
    onTestFinished(({ task }) => {
      if (task.result?.state === 'pass') rmSync(folder, { recursive: true, force: true });
    });
    const args = [cli, 'chaos', 'run', 'everything', '--seed', '20261125', '--out', folder];
    const run = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const told: string[] = [];
    run.stderr.on('data', (chunk: Buffer) => told.push(chunk.toString()));
    await once(run, 'close');
    const record = await readRecord(folder).catch(() => {
      throw new Error(`It left no record:\n${told.join('').slice(-3_000)}`);
    });
    expect(record.steadyState.filter((one) => !one.holds)).toEqual([]);
    // Times and rates are measured, never asked for here: a busy machine may miss them.
    expect(record.checks.map(({ name, kind, ...why }) => ({ name, kind, why }))).toMatchObject(
      scenario.checks.map((name) => ({ name, kind: 'ok' })),
    );
    const done = new Set(record.faults.map((one) => one.fault));
    expect(done).toEqual(new Set(scenario.timeline.map((step) => step.fault)));
    expect(record.workloads.filter((one) => one.ok === 0).map((one) => one.label)).toEqual([]);
  },
);
