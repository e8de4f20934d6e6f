import { expect, test } from 'vitest';
import { judgeAssertion } from '../../../chaos/runner/measure.ts';
import type { FaultRecord, Sample } from '../../../chaos/runner/record.ts';
import { parseAssertion } from '../../../chaos/scenario/assertion.ts';

/** One replica, seen every half a second: its lag in milliseconds, or that it did not answer. */
function seen(lags: readonly (number | 'down')[]): readonly Sample[] {
  return lags.map((lag, at) => {
    const node = {
      name: 'west-1',
      term: 0,
      commit: 0,
      applied: 0,
      lagEntries: 0,
      seal: 'unsealed',
    };
    const role = lag === 'down' ? 'unreachable' : 'replica';
    const nodes = [{ ...node, up: lag !== 'down', role, lagMs: lag === 'down' ? 0 : lag }];
    const stats = { ok: 0, failed: 0, perSecond: 0 };
    const observation = { leader: undefined, term: 1, commit: 0, nodes };
    return { at: at * 500, observation, writes: stats, reads: stats };
  });
}

/** After a partition from 500 ms to 1,500 ms. */
function measured(lags: readonly (number | 'down')[], faults: readonly FaultRecord[] = [cut]) {
  const text = 'replica-recovery after heal of partition max < 3s';
  const parsed = parseAssertion(text, ['partition']);
  if (!parsed.ok) throw new Error(parsed.problem);
  const samples = seen(lags);
  return judgeAssertion(parsed.value, { fromMs: 0, toMs: 60_000, samples, entries: [], faults });
}

const cut: FaultRecord = {
  id: '1-partition',
  fault: 'partition',
  parameters: {},
  nodes: ['west-1'],
  injectedAt: 500,
  effectiveAt: 500,
  healedAt: 1_500,
};

test('a replica has recovered when it is fresh and stays so', () => {
  expect(measured([0, 500, 1_000, 1_500, 2_000, 50, 1_200, 40, 60])).toMatchObject({
    value: 2_000,
    holds: true,
  });
});

test('a replica that does not answer is not fresh', () => {
  expect(measured([0, 500, 900, 'down', 'down', 30, 30])).toMatchObject({ value: 1_000 });
});

test('a replica that stays behind has not recovered, and without a fault nothing is measured', () => {
  expect(measured([0, 500, 1_000, 1_500, 2_000, 2_500])).toMatchObject({
    value: null,
    holds: false,
  });
  expect(measured([0, 0, 0], [])).toMatchObject({ value: null, holds: false });
});
