import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { libraryNames } from '../../../chaos/cli/library.ts';
import { parseScenario } from '../../../chaos/scenario/parse-scenario.ts';
import { vocabulary } from '../../../chaos/vocabulary.ts';
import { StrongroomError } from '../../../src/lib/index.ts';

const sound = `name: sample
title: A sample
purpose: To be read.
cluster:
  voters: 3
  replicas: { west: 1 }
grounds: [processes]
workloads:
  - use: register
duration: 10s
timeline:
  - at: 1s
    for: 2s
    fault: kill
    on: leader
checks: [linearizable]
`;

function problemsOf(text: string): readonly string[] {
  try {
    parseScenario('sample.yaml', text, vocabulary);
  } catch (error) {
    if (error instanceof StrongroomError && error.code === 'config.invalid')
      return error.message.split('\n');
    throw error;
  }
  return [];
}

const changed = (from: string, to: string) => problemsOf(sound.replace(from, to));

test('a sound scenario is read, with its nodes named and its times in milliseconds', () => {
  const scenario = parseScenario('sample.yaml', sound, vocabulary);
  expect(scenario.cluster.nodes.map((node) => `${node.name} ${node.region}`)).toEqual([
    'voter-1 local',
    'voter-2 local',
    'voter-3 local',
    'west-1 west',
  ]);
  expect(scenario.timeline).toMatchObject([
    { fault: 'kill', on: { kind: 'leader' }, atMs: 1_000, forMs: 2_000, place: { line: 14 } },
  ]);
});

test('an unknown fault is named with its line, its column and the nearest fault', () => {
  expect(changed('fault: kill', 'fault: kil')).toEqual([
    'sample.yaml:14:12: unknown fault "kil": did you mean kill?',
  ]);
});

test('a wrong duration says how durations are written', () => {
  expect(changed('for: 2s', 'for: 2 sec')).toEqual([
    'sample.yaml:13:10: for: "2 sec" should be written like 250ms, 3s or 1m30s',
  ]);
});

test('a node that the cluster does not have is refused with those that it has', () => {
  expect(changed('on: leader', 'on: voter-4')).toEqual([
    'sample.yaml:15:9: no node "voter-4": did you mean voter-1? this cluster has voter-1, voter-2, voter-3, west-1',
  ]);
  expect(changed('on: leader', 'on: replica of wst')).toEqual([
    'sample.yaml:15:9: unknown region with replicas "wst": did you mean west?',
  ]);
});

test('a fault that a named ground cannot do is refused before anything runs', () => {
  const withoutCut = {
    ...vocabulary,
    impossible: (fault: string, _: unknown, ground: string) =>
      fault === 'kill' ? `the ground "${ground}" cannot do kill` : undefined,
  };
  expect(() => parseScenario('sample.yaml', sound, withoutCut)).toThrow(
    'sample.yaml:14:12: the ground "processes" cannot do kill',
  );
});

test.each([
  ['an unknown field', 'on: leader', 'onn: leader', ':15:5: unknown field "onn": did you mean on?'],
  ['an unknown workload', 'use: register', 'use: registr', ':9:10: unknown workload "registr"'],
  ['an unknown check', '[linearizable]', '[linear]', ':16:10: unknown check "linear"'],
  ['a fault after the end', 'at: 1s', 'at: 11s', ':12:9: is after the end'],
  ['a parameter of no fault', 'on: leader', 'on: leader\n    with: { hard: 1 }', ':16:13:'],
  ['YAML that is none', 'purpose: To be read.', 'purpose: [', 'sample.yaml:'],
  ['no target', '    on: leader\n', '', ':12:5: kill needs "on"'],
])('%s is found at its place', (_, from, to, expected) => {
  expect(changed(from, to).join('\n')).toContain(expected);
});

test('sentences about measures are read word for word', () => {
  const withObjective = (sentence: string) => problemsOf(`${sound}objectives:\n  - ${sentence}\n`);
  expect(withObjective('write-recovery after heal of kill median < 1.5s')).toEqual([]);
  expect(withObjective('write-recovry max < 4s')).toEqual([
    'sample.yaml:18:5: unknown measure "write-recovry": did you mean write-recovery?',
  ]);
  expect(withObjective('write-rate > fast')).toEqual([
    'sample.yaml:18:5: "fast" is no value of write-rate: write it like 100/s',
  ]);
  expect(withObjective('leaders after kill == 1')[0]).toContain('cannot be followed by "after"');
});

test('every problem of a file is told at once, in the order of its lines', () => {
  const text = sound.replace('fault: kill', 'fault: kil').replace('use: register', 'use: nothing');
  expect(problemsOf(text).map((line) => line.slice(0, 16))).toEqual([
    'sample.yaml:9:10',
    'sample.yaml:14:1',
  ]);
});

test('every scenario of the library is sound', () => {
  expect(libraryNames().length).toBeGreaterThan(0);
  for (const name of libraryNames()) {
    const file = new URL(`../../../chaos/scenarios/${name}.yaml`, import.meta.url);
    const scenario = parseScenario(`${name}.yaml`, readFileSync(file, 'utf8'), vocabulary);
    expect(scenario.name).toBe(name);
  }
});

test('every game day names a scenario that is there, or says that it is done by hand', () => {
  const folder = new URL('../../../docs/game-days/', import.meta.url);
  const pages = readdirSync(folder).filter((name) => name !== 'README.md');
  expect(pages.length).toBeGreaterThan(10);
  const index = readFileSync(new URL('README.md', folder), 'utf8');
  for (const page of pages) {
    const text = readFileSync(new URL(page, folder), 'utf8');
    const [, scenario] = /strongroom chaos run ([a-z-]+)/.exec(text) ?? [];
    expect(index).toContain(`(${page})`);
    const isFound =
      scenario === undefined ? text.includes('By hand') : libraryNames().includes(scenario);
    expect({ page, isFound }).toEqual({ page, isFound: true });
  }
});
