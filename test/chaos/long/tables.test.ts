import { expect, test } from 'vitest';
import type { FaultResult, RunResult } from '../../../chaos/long/result.ts';
import { longTables, objectiveRows, scenarioRows } from '../../../chaos/long/tables.ts';

const run = (changes: Partial<RunResult>): RunResult => ({
  scenario: 'leader-loss',
  seed: 1,
  verdict: 'passed',
  because: [],
  durationMs: 30_000,
  operations: 1_000,
  faults: [],
  checks: [{ name: 'linearizable', kind: 'ok' }],
  ...changes,
});

const kill = (injection: number | null, tookLeader = true): FaultResult => ({
  fault: 'kill',
  tookLeader,
  injection,
});

const rowOf = (runs: readonly RunResult[], objective: string) =>
  objectiveRows(runs).find((row) => row.objective.startsWith(objective));

test('the loss of a leader is measured by kills of leaders alone', () => {
  const runs = [
    run({ faults: [kill(800), kill(1_200), kill(9_000, false)] }),
    run({ faults: [kill(3_000)] }),
  ];
  expect(rowOf(runs, 'leader loss: writes again, median')).toMatchObject({
    measured: '1.20 s',
    of: '3 faults',
    holds: true,
  });
  expect(rowOf(runs, 'leader loss: writes again, worst')).toMatchObject({
    measured: '3.00 s',
    holds: true,
  });
});

test('a client that never wrote again breaks the objective, and nothing measured is no success', () => {
  expect(rowOf([run({ faults: [kill(null)] })], 'leader loss: writes again, worst')).toMatchObject({
    measured: 'never',
    holds: false,
  });
  expect(rowOf([run({})], 'cold start')).toMatchObject({
    measured: 'nothing to measure',
    holds: undefined,
  });
});

test('an undecided check counts against the objective as a violation does', () => {
  const judged = (kind: string) =>
    rowOf([run({ checks: [{ name: 'linearizable', kind }] })], 'no linearizability');
  expect(judged('ok')).toMatchObject({ holds: true });
  expect(judged('violation')).toMatchObject({ measured: '1 violations', holds: false });
  expect(judged('undecided')).toMatchObject({
    measured: '0 violations, 1 undecided',
    holds: false,
  });
});

test('the tables tell each scenario, each objective and each run that did not pass', () => {
  const missed: FaultResult = { fault: 'hsm-wrong-pin', tookLeader: false, felt: false };
  const runs = [
    run({ faults: [kill(900), missed] }),
    run({ seed: 2, verdict: 'broke', because: ['no port is free'], checks: [] }),
  ];
  expect(scenarioRows(runs)).toEqual([
    {
      scenario: 'leader-loss',
      runs: 2,
      passed: 1,
      operations: 2_000,
      faults: 2,
      notFelt: 1,
      medianRecoveryMs: 900,
      worstRecoveryMs: 900,
    },
  ]);
  const text = longTables(runs);
  for (const part of ['leader-loss', 'no acknowledged write lost', 'broke', 'no port is free'])
    expect(text).toContain(part);
});
