import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { ProgressEvent } from '../../../chaos/runner/progress.ts';
import { readRecord } from '../../../chaos/runner/read-record.ts';
import { runScenario } from '../../../chaos/runner/run-scenario.ts';
import { parseScenario } from '../../../chaos/scenario/parse-scenario.ts';
import { vocabulary } from '../../../chaos/vocabulary.ts';
import { type FakeBehaviour, fakeGround } from './fake-ground.ts';

const text = `name: sample
title: A sample
purpose: To be run.
cluster: { voters: 3 }
grounds: [processes]
steady:
  for: 2s
  expect: [leaders == 1, write-rate > 1/s]
workloads:
  - use: register
    with: { clients: 3, keys: 2, reads: 40% }
duration: 10s
timeline:
  - { at: 1s, for: 5s, fault: kill, on: leader }
objectives:
  - write-recovery after kill max < 2s
aborts:
  - error-rate > 50% for 2s
checks: [linearizable]
`;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function run(
  behaviour: FakeBehaviour = {},
  options: {
    readonly text?: string;
    readonly onEvent?: (event: ProgressEvent) => void;
    readonly onFolder?: (folder: string) => void;
  } = {},
  signal = new AbortController().signal,
) {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-chaos-test-'));
  folders.push(folder);
  options.onFolder?.(folder);
  const { ground, clusters } = fakeGround(behaviour);
  const events: ProgressEvent[] = [];
  const record = await runScenario(
    parseScenario('sample.yaml', options.text ?? text, vocabulary),
    ground,
    {
      seed: 11,
      folder,
      signal,
      programVersion: 'test',
      progress: (event) => {
        events.push(event);
        options.onEvent?.(event);
      },
    },
  );
  return { record, folder, events, done: clusters[0]?.done ?? [] };
}

test('a run that goes well passes, and its folder holds the whole record', async () => {
  const { record, folder, done } = await run();
  expect(record.verdict).toEqual({ kind: 'passed' });
  expect(done).toEqual(['kill voter-1', 'start voter-1', 'heal all', 'dispose']);
  expect(record.phases.map((one) => one.phase)).toEqual([
    'start',
    'steady',
    'timeline',
    'settle',
    'check',
  ]);
  expect(await readRecord(folder)).toEqual(JSON.parse(JSON.stringify(record)));
  const lines = readFileSync(join(folder, 'histories', 'register.ndjson'), 'utf8').split('\n');
  expect(lines.length).toBeGreaterThan(100);
  expect(existsSync(join(folder, 'state.json'))).toBe(false);
});

test('recovery is counted from the fault until every client writes again', async () => {
  const { record } = await run({ electionMs: 1_200 });
  const [fault] = record.faults;
  expect(fault?.recovery?.injection).toBeGreaterThanOrEqual(1_200);
  expect(fault?.recovery?.injection).toBeLessThan(1_600);
  expect(fault?.recovery?.heal).toBeLessThan(400);
});

test('an objective that is missed fails the run with what was measured', async () => {
  const { record } = await run({ electionMs: 3_000 });
  expect(record.verdict).toMatchObject({
    kind: 'failed',
    because: [expect.stringMatching(/^objective missed: write-recovery.*measured 3\.\d\d s/)],
  });
});

test('a write that was acknowledged and forgotten is a violation with the operations that show it', async () => {
  const { record, done } = await run({ forgets: true });
  const shown = expect.arrayContaining([expect.objectContaining({ effect: 'write' })]);
  expect(record.checks).toMatchObject([
    { name: 'linearizable', kind: 'violation', history: shown },
  ]);
  const [check] = record.checks;
  if (check?.kind !== 'violation') throw new Error('There is no violation');
  // The contradiction is complete with an answer, and with the one that came last of those known.
  const impossible = check.history[check.impossible ?? -1];
  expect(impossible).toMatchObject({ outcome: 'ok', output: { kind: expect.any(String) } });
  expect(check.history.filter((one) => one.returnedAt < (impossible?.calledAt ?? 0))).not.toEqual(
    [],
  );
  expect(record.verdict.kind).toBe('failed');
  expect(done).toContain('collect');
});

test('without a steady state no fault is done', async () => {
  const { record, done } = await run({ neverLeads: true });
  expect(done).toEqual(['collect', 'dispose']);
  expect(record.verdict).toMatchObject({ kind: 'failed' });
  expect(record.faults).toEqual([]);
});

test('an abort condition ends the timeline early and heals', async () => {
  const { record, done } = await run({ electionMs: 60_000 }, { text: text.replace('10s', '60s') });
  expect(record.aborted?.text).toBe('error-rate > 50% for 2s');
  expect(done.slice(0, 3)).toEqual(['kill voter-1', 'start voter-1', 'heal all']);
  const timeline = record.phases.find((one) => one.phase === 'timeline');
  expect((timeline?.to ?? 0) - (timeline?.from ?? 0)).toBeLessThan(30_000);
});

test('an interrupted run heals at once and says that it proves nothing', async () => {
  const stop = new AbortController();
  const { record, done } = await run(
    {},
    { onEvent: (event) => event.kind === 'fault' && event.what === 'injected' && stop.abort() },
    stop.signal,
  );
  expect(record.verdict).toEqual({ kind: 'interrupted' });
  expect(done.slice(0, 3)).toEqual(['kill voter-1', 'start voter-1', 'heal all']);
  expect(record.checks).toEqual([]);
});

test('a fault that cannot be undone fails the run, which heals the rest all the same', async () => {
  const { record, done } = await run({ startFails: true });
  expect(record.verdict).toMatchObject({
    kind: 'failed',
    because: [expect.stringContaining('Cannot start voter-1: no such disk')],
  });
  expect(done).toContain('heal all');
});

test('the same seed plans and draws the same', async () => {
  const random = text.replace('on: leader', 'on: random voter');
  const one = await run({}, { text: random });
  const two = await run({}, { text: random });
  expect(two.record.faults).toEqual(one.record.faults);
});

test('what this cluster gives no way to check is told with the verdict, and alone proves nothing', async () => {
  const both = text.replace('checks: [linearizable]', 'checks: [linearizable, audit-complete]');
  const { record } = await run({ isClosed: true }, { text: both });
  expect(record.verdict).toMatchObject({
    kind: 'passed',
    notChecked: [expect.stringContaining('audit-complete: ')],
  });
  const alone = text.replace('checks: [linearizable]', 'checks: [audit-complete]');
  const { record: unproved } = await run({ isClosed: true }, { text: alone });
  expect(unproved.verdict).toMatchObject({
    kind: 'failed',
    because: [expect.stringContaining('nothing was checked')],
  });
});

test('a run that cannot undo something has failed, and leaves how it is undone', async () => {
  const { record, folder } = await run({ leaves: 'join voter-2' });
  expect(record.verdict).toMatchObject({
    kind: 'failed',
    because: [expect.stringContaining('not healed: could not join voter-2')],
  });
  expect(existsSync(join(folder, 'state.json'))).toBe(true);
});

test('a file in the folder of a run ends it as Ctrl-C does', async () => {
  let folder = '';
  const long = text.replace('duration: 10s', 'duration: 100h').replace('for: 5s', 'for: 99h');
  const { record } = await run(
    {},
    {
      text: long,
      onFolder: (made) => {
        folder = made;
      },
      onEvent: (event) => {
        if (event.kind === 'fault') writeFileSync(join(folder, 'stop'), '');
      },
    },
  );
  expect(record.verdict).toEqual({ kind: 'interrupted' });
  expect(record.faults[0]?.healedAt).toBeDefined();
});
