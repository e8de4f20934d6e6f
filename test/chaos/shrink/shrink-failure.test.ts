import { expect, test } from 'vitest';
import type { CheckRecord, Verdict } from '../../../chaos/runner/record.ts';
import { parseScenario } from '../../../chaos/scenario/parse-scenario.ts';
import type { Scenario } from '../../../chaos/scenario/scenario.ts';
import { shrinkFailure } from '../../../chaos/shrink/shrink-failure.ts';
import { vocabulary } from '../../../chaos/vocabulary.ts';

const text = `
name: many-faults
title: Many faults
purpose: To be made small
cluster: { voters: 3 }
grounds: [simulation]
workloads:
  - use: register
    with: { clients: 6 }
duration: 30s
timeline:
  - { every: 5s, for: 1s, fault: kill, on: random voter }
  - { at: 7s, for: 2s, fault: partition, on: leader }
  - { at: 12s, for: 1s, fault: pause, on: follower }
checks: [linearizable]
`;

const scenario = parseScenario('many-faults.yaml', text, vocabulary);
const words = vocabulary;
const say = () => {};

interface Outcome {
  readonly verdict: Verdict;
  readonly checks: readonly CheckRecord[];
}

const passed: Outcome = { verdict: { kind: 'passed' }, checks: [] };
const violated: Outcome = {
  verdict: { kind: 'failed', because: ['linearizable is violation: no'] },
  checks: [{ name: 'linearizable', summary: '', kind: 'violation', because: 'no', history: [] }],
};

test('only the faults that a failure needs are left, with what they draw their chance from', async () => {
  const seen: Scenario[] = [];
  const run = (some: Scenario) => {
    seen.push(some);
    const faults = some.timeline.map((step) => step.fault);
    return Promise.resolve(
      faults.includes('partition') && faults.includes('pause') ? violated : passed,
    );
  };
  const shrunk = await shrinkFailure(scenario, violated, { seed: 9, words, run, say });
  expect(shrunk?.scenario.timeline.map((step) => step.fault)).toEqual(['partition', 'pause']);
  // The last pause begins at 12 s, and a second more is left for it to do its harm.
  expect(shrunk?.scenario.durationMs).toBeLessThanOrEqual(15_000);
  expect(shrunk?.faultsBefore).toBe(seen[0]?.timeline.length);
  expect(shrunk?.scenario.workloads[0]?.parameters).toMatchObject({ clients: 1 });
  const first = seen[0]?.timeline.find((step) => step.fault === 'partition');
  expect(shrunk?.scenario.timeline[0]).toMatchObject({ draw: first?.draw, atMs: first?.atMs });
  expect(first?.draw).toBeDefined();
});

test('another failure is not taken for the one that is looked for', async () => {
  const run = (some: Scenario): Promise<Outcome> => {
    const faults = some.timeline.map((step) => step.fault);
    if (faults.includes('kill')) return Promise.resolve(violated);
    return Promise.resolve({
      verdict: { kind: 'failed', because: ['objective missed: write-rate > 5/s (measured 1)'] },
      checks: [],
    });
  };
  const shrunk = await shrinkFailure(scenario, violated, { seed: 9, words, run, say });
  expect(shrunk?.scenario.timeline.map((step) => step.fault)).toEqual(['kill']);
});

test('a failure that does not come again is not made small', async () => {
  const run = () => Promise.resolve(passed);
  expect(await shrinkFailure(scenario, violated, { seed: 9, words, run, say })).toBeUndefined();
});
