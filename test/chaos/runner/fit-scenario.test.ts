import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fitScenario } from '../../../chaos/runner/fit-scenario.ts';
import { newFolder, scenarioOf, staging, targetOf } from '../target-files.ts';

let folder = '';
beforeEach(() => {
  folder = newFolder();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const hands = `hooks:
  process.kill: { inject: [ends, "{node}"], heal: [starts, "{node}"] }
  network.cut: { inject: [cuts, "{from}", "{to}"], heal: [joins, "{from}", "{to}"] }
`;

const fit = async (timeline: string, allow: string, more = hands) =>
  fitScenario(scenarioOf(timeline), await targetOf(folder, staging(`allow:\n${allow}\n${more}`)));

const killLeader = '  - { at: 1s, for: 2s, fault: kill, on: leader }';

test('an allowed scenario runs on the nodes of the target', async () => {
  const fitted = await fit(killLeader, '  - { fault: kill, at-once: 1, longest: 2s }');
  expect(fitted.cluster.nodes.map((node) => node.name)).toEqual(['a1', 'a2', 'a3', 'r1']);
});

test('what the scenario calls voter-1 is the node that its operator says it is', async () => {
  const step = '  - { at: 1s, for: 2s, fault: kill, on: voter-1 }';
  const fitted = await fit(step, '  - { fault: kill, nodes: [a1] }');
  expect(fitted.timeline[0]?.on).toEqual({ kind: 'node', name: 'a1' });
});

test('the API alone needs no hands', async () => {
  const step = '  - { at: 1s, fault: transfer-leadership }';
  await expect(fit(step, '  - transfer-leadership', '')).resolves.toBeDefined();
});

test.each([
  [
    'a fault that is not allowed',
    '  - { at: 1s, for: 2s, fault: pause, on: leader }',
    '  - kill',
    's.yaml:8:31: "staging" does not allow pause',
  ],
  [
    'a fault without hands',
    '  - { at: 1s, for: 2s, fault: pause, on: leader }',
    '  - pause',
    /s\.yaml:8:31: there are no hands for pause .* "hooks" for process\.pause/,
  ],
  [
    'a node that is not there',
    '  - { at: 1s, for: 2s, fault: kill, on: voter-2 }',
    '  - kill',
    's.yaml:8:31: no node "voter-2"',
  ],
  [
    'a leader who may be a node that is not allowed',
    killLeader,
    '  - { fault: kill, nodes: [a1, a2] }',
    'kill could be done to a3, where "staging" does not allow it',
  ],
  [
    'a region that is not allowed',
    killLeader,
    '  - { fault: kill, regions: [local] }',
    'kill could be done to a3',
  ],
  [
    'a fault that lasts too long',
    killLeader,
    '  - { fault: kill, longest: 1s }',
    'kill lasts 2.00 s, "staging" allows 1.00 s',
  ],
  [
    'a fault that lasts to the end',
    '  - { at: 1s, fault: kill, on: leader }',
    '  - { fault: kill, longest: 5s }',
    'kill lasts 19.0 s',
  ],
  [
    'two at once where one is allowed',
    `${killLeader}\n  - { at: 2s, for: 2s, fault: kill, on: follower }`,
    '  - { fault: kill, at-once: 1 }',
    'kill may be on 2 nodes at once',
  ],
  [
    'a majority in one step',
    '  - { at: 1s, for: 2s, fault: kill, on: majority }',
    '  - kill',
    /s\.yaml:8:.*majority of "staging".*may-harm-majority/,
  ],
  [
    'a majority by steps that overlap',
    `${killLeader}\n  - { at: 2s, for: 2s, fault: partition, on: follower }`,
    '  - kill\n  - partition',
    'may-harm-majority',
  ],
  [
    'a majority by a fault of the whole cluster',
    '  - { at: 1s, for: 2s, fault: partition, with: { shape: halves } }',
    '  - partition',
    'may-harm-majority',
  ],
])('%s is refused with its place, and nothing is asked', async (_what, timeline, allow, said) => {
  await expect(fit(timeline, allow)).rejects.toThrow(said);
});

test('steps that do not overlap harm no majority, and with its leave a majority may be harmed', async () => {
  const later = '  - { at: 4s, for: 2s, fault: kill, on: follower }';
  await expect(fit(`${killLeader}\n${later}`, '  - kill')).resolves.toBeDefined();
  const all = '  - { at: 1s, for: 2s, fault: kill, on: all }';
  await expect(fit(all, '  - kill', `${hands}may-harm-majority: true`)).resolves.toBeDefined();
});

test('a scenario that needs more voters than there are is refused', async () => {
  const text = staging('allow: [kill]').replace(/ {2}- \{ name: a3.*\n/, '');
  const target = await targetOf(folder, text);
  const scenario = scenarioOf('  - { at: 1s, fault: transfer-leadership }');
  expect(() => fitScenario(scenario, target)).toThrow('needs 3 voters, "staging" has 2');
});
