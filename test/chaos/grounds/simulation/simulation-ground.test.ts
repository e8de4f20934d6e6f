import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { KvHistory } from '../../../../chaos/grounds/simulation/kv-history.ts';
import { SimulatedVault } from '../../../../chaos/grounds/simulation/simulated-vault.ts';
import { simulationGround } from '../../../../chaos/grounds/simulation/simulation-ground.ts';
import type { RunRecord } from '../../../../chaos/runner/record.ts';
import { runScenario } from '../../../../chaos/runner/run-scenario.ts';
import { parseScenario } from '../../../../chaos/scenario/parse-scenario.ts';
import type { Scenario } from '../../../../chaos/scenario/scenario.ts';
import { shrinkFailure } from '../../../../chaos/shrink/shrink-failure.ts';
import { SimulatedDisk } from '../../../../chaos/simulation/simulated-disk.ts';
import { vocabulary } from '../../../../chaos/vocabulary.ts';

const scenarioOf = (timeline: string, reads = 0.5, anywhere = 0) =>
  parseScenario(
    'test.yaml',
    `
name: test
title: A test
purpose: To see the simulation work
cluster: { voters: 3 }
grounds: [simulation]
steady: { for: 2s, expect: [leaders == 1, write-rate > 5/s] }
workloads:
  - use: register
    with: { clients: 6, keys: 2, reads: ${reads}, anywhere: ${anywhere} }
duration: 8s
settle: 2s
timeline:
${timeline}
checks: [linearizable]
`,
    vocabulary,
  );

const everything = scenarioOf(`
  - { every: 4s, from: 500ms, for: 1s, fault: kill, on: leader }
  - { every: 4s, from: 2s, for: 1s, fault: partition, on: random voter }
  - { at: 3500ms, for: 400ms, fault: pause, on: follower }
  - { at: 1s, for: 5s, fault: delay, on: voter-2, with: { by: 5ms, jitter: 3ms } }
  - { at: 1s, for: 5s, fault: loss, with: { of: 2% } }
  - { at: 2s, for: 4s, fault: clock-skew, on: voter-3, with: { drift: 0.2 } }
  - { at: 6500ms, for: 500ms, fault: fsync-fails, on: random voter }
  - { at: 3900ms, fault: transfer-leadership }
  - { at: 7200ms, for: 200ms, fault: power-cut, on: follower }
`);

interface Run {
  readonly record: RunRecord;
  readonly history: string;
}

async function run(scenario: Scenario, seed: number): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-simulation-test-'));
  try {
    const record = await runScenario(scenario, simulationGround, {
      seed,
      folder,
      signal: new AbortController().signal,
      progress: () => {},
      programVersion: 'test',
    });
    return { record, history: readFileSync(join(folder, 'histories/register.ndjson'), 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

afterEach(() => vi.restoreAllMocks());

test('a scenario with every fault that can be simulated passes, and does them all', async () => {
  const { record } = await run(everything, 3);
  expect(record.verdict).toEqual({ kind: 'passed' });
  expect(new Set(record.faults.map((one) => one.fault)).size).toBe(9);
  expect(record.faults.filter((one) => one.error !== undefined)).toEqual([]);
  expect(record.workloads[0]?.ok).toBeGreaterThan(500);
}, 60_000);

test('the same seed gives the same run, another one another', async () => {
  const [one, same, other] = [
    await run(everything, 5),
    await run(everything, 5),
    await run(everything, 6),
  ];
  expect(same.history).toBe(one.history);
  expect({ ...same.record, startedAt: '' }).toEqual({ ...one.record, startedAt: '' });
  expect(other.history).not.toBe(one.history);
}, 90_000);

test('a node that is asked by name is asked and no other: while it is down the reads fail', async () => {
  const down = '  - { at: 1s, for: 5s, fault: kill, on: follower }';
  const [anyone, named] = [
    (await run(scenarioOf(down, 0.9), 4)).record,
    (await run(scenarioOf(down, 0.9, 1), 4)).record,
  ];
  expect([anyone.verdict.kind, named.verdict.kind]).toEqual(['passed', 'passed']);
  expect(anyone.workloads[0]?.no).toBe(0);
  expect(named.workloads[0]?.no).toBeGreaterThan(5);
  expect(named.workloads[0]?.ok).toBeGreaterThan(100);
}, 60_000);

test('a power cut takes what was not synced, a kill does not: the simulation tells them apart', async () => {
  const powerCuts = '  - { every: 2s, from: 500ms, for: 300ms, fault: power-cut, on: voters }';
  const cut = vi.spyOn(SimulatedDisk.prototype, 'crash');
  expect((await run(scenarioOf(powerCuts), 2)).record.verdict).toEqual({ kind: 'passed' });
  expect(cut.mock.calls.length).toBeGreaterThanOrEqual(2 * 3 * 3);
  cut.mockClear();
  expect((await run(scenarioOf(powerCuts.replace('power-cut', 'kill')), 2)).record.verdict).toEqual(
    { kind: 'passed' },
  );
  expect(cut).not.toHaveBeenCalled();
}, 60_000);

test('a node that answers reads without asking a quorum is found, and the run made small', async () => {
  const isolated = scenarioOf(
    `
  - { every: 4s, from: 1s, for: 2500ms, fault: partition, on: leader }
  - { at: 500ms, for: 300ms, fault: pause, on: follower }
  - { at: 1500ms, for: 3s, fault: delay, on: voter-1, with: { by: 3ms } }
`,
    0.95,
  );
  // Any replica's own state, however old.
  const kv = new WeakMap<SimulatedVault, KvHistory>();
  const applied = vi.spyOn(KvHistory.prototype, 'applied');
  vi.spyOn(SimulatedVault.prototype, 'read').mockImplementation(function (
    this: SimulatedVault,
    node,
    key,
  ) {
    const history = kv.get(this) ?? (applied.mock.contexts.at(-1) as KvHistory);
    kv.set(this, history);
    const revision = node.machine?.applied().index ?? 0;
    return Promise.resolve({ found: history.read(key, revision), revision });
  });
  const { record } = await run(isolated, 11);
  expect(record.checks[0]).toMatchObject({ name: 'linearizable', kind: 'violation' });
  const shrunk = await shrinkFailure(isolated, record, {
    seed: 11,
    words: vocabulary,
    run: async (smaller) => (await run(smaller, 11)).record,
    say: () => {},
  });
  expect(shrunk?.faults).toBeLessThan(shrunk?.faultsBefore ?? 0);
}, 120_000);

test('what the simulation has not got is refused before anything is touched', async () => {
  const replicas = parseScenario(
    'test.yaml',
    `
name: test
title: A test
purpose: A shape that is not simulated
cluster: { voters: 3, replicas: { west: 1 } }
workloads: [{ use: register }]
duration: 8s
checks: [linearizable]
`,
    vocabulary,
  );
  await expect(run(replicas, 1)).rejects.toMatchObject({ code: 'cli.usage' });
});
