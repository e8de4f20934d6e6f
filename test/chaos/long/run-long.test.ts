import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Ground } from '../../../chaos/grounds/ground.ts';
import type { LongOptions } from '../../../chaos/long/options.ts';
import { ResultsFile } from '../../../chaos/long/results-file.ts';
import { runLong } from '../../../chaos/long/run-long.ts';
import { fakeGround } from '../runner/fake-ground.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-long-test-'));
  folders.push(folder);
  return folder;
}

const wished = (folder: string, scenarios: readonly string[], forMs = 1): LongOptions => ({
  forMs,
  scenarios,
  fromSeed: 5,
  folder,
  format: 'table',
});

/** Runs it, as if each run took a second. @returns what it said, and the results it kept. */
async function long(
  options: LongOptions,
  ground: Ground,
  signal: AbortSignal = new AbortController().signal,
) {
  const results = await ResultsFile.open(options.folder);
  const said: string[] = [];
  let nowMs = 0;
  await runLong(options, {
    ground,
    results,
    signal,
    say: (line) => void said.push(line),
    nowMs: () => (nowMs += 1_000),
    programVersion: 'test',
  });
  const kept = (await ResultsFile.open(options.folder)).runs;
  return { said: said.join('\n'), kept, brief: kept.map((one) => `${one.scenario} ${one.seed}`) };
}

test('each scenario is run with one seed after the other for its time', async () => {
  const { ground } = fakeGround();
  const { brief, kept } = await long(
    wished(newFolder(), ['leader-loss', 'lost-quorum'], 2_000),
    ground,
  );
  expect(brief).toEqual(['leader-loss 5', 'leader-loss 6', 'lost-quorum 5', 'lost-quorum 6']);
  expect(kept[0]?.faults.map((one) => one.fault)).toEqual(['kill', 'kill', 'kill']);
  expect(kept[0]?.faults.map((one) => one.tookLeader)).toEqual([true, true, true]);
});

test('after a run that failed the next follows; its folder stays, that of one that passed does not', async () => {
  const folder = newFolder();
  const good = fakeGround();
  const bad = fakeGround({ forgets: true });
  let starts = 0;
  const ground: Ground = {
    ...good.ground,
    start: (...given) => (starts++ === 0 ? bad : good).ground.start(...given),
  };
  const { kept, said } = await long(wished(folder, ['leader-loss'], 2_000), ground);
  expect(kept.map((one) => one.verdict)).toEqual(['failed', 'passed']);
  expect(said).toContain('linearizable is violation');
  expect(existsSync(join(folder, 'leader-loss-5', 'run.json'))).toBe(true);
  expect(readFileSync(join(folder, 'leader-loss-5', 'report.html'), 'utf8')).toContain('<html');
  expect(existsSync(join(folder, 'leader-loss-6'))).toBe(false);
});

test('a scenario whose cluster never starts is given up, and the others have their turn', async () => {
  const { ground } = fakeGround();
  const halting: Ground = {
    ...ground,
    start: (shape, options) =>
      shape.nodes.length === 3
        ? Promise.reject(new Error('no port is free'))
        : ground.start(shape, options),
  };
  const { brief, kept, said } = await long(
    wished(newFolder(), ['leader-loss', 'split-brain'], 60_000_000),
    halting,
    // The second would go on for hours.
    AbortSignal.timeout(1_500),
  );
  expect(brief.slice(0, 3)).toEqual(['leader-loss 5', 'leader-loss 6', 'leader-loss 7']);
  expect(kept.slice(0, 3).map((one) => one.because)).toEqual(
    Array.from({ length: 3 }, () => ['no port is free']),
  );
  expect(said).toContain('leader-loss: given up');
  expect(said).toContain('split-brain, seed 5');
});

test('a long run that was ended is gone on with where it was', async () => {
  const folder = newFolder();
  const { ground } = fakeGround();
  await long(wished(folder, ['leader-loss'], 1_000), ground);
  const again = await long(wished(folder, ['leader-loss', 'lost-quorum'], 1_000), ground);
  expect(again.brief).toEqual(['leader-loss 5', 'lost-quorum 5']);
  const longer = await long(wished(folder, ['leader-loss'], 2_000), ground);
  expect(longer.brief).toEqual(['leader-loss 5', 'lost-quorum 5', 'leader-loss 6']);
});
