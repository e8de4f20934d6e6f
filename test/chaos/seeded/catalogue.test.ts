import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checkers } from '../../../chaos/checkers/catalogue.ts';
import { readScenario } from '../../../chaos/scenario/parse-scenario.ts';
import { seededFaults } from '../../../chaos/seeded/catalogue.ts';
import { MutatedCopy } from '../../../chaos/seeded/mutated-copy.ts';
import { patched } from '../../../chaos/seeded/patched-source.ts';
import { type Patch, PROMISES, type SeededFault } from '../../../chaos/seeded/seeded-fault.ts';
import { vocabulary } from '../../../chaos/vocabulary.ts';

const project = new URL('../../../', import.meta.url).pathname;

/** The sources that patches change, as they are after some of them. */
function afterAll(
  patches: readonly Patch[],
  sources: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> {
  const changed = new Map(sources);
  for (const patch of patches) {
    const before =
      changed.get(patch.file) ?? readFileSync(`${project}/src/${patch.file}.ts`, 'utf8');
    changed.set(patch.file, patched(before, patch));
  }
  return changed;
}

/** As many faults in one copy as do not change the same place: compiling takes its time. */
function together(faults: readonly SeededFault[]): readonly (readonly Patch[])[] {
  const groups: { sources: ReadonlyMap<string, string>; readonly patches: Patch[] }[] = [];
  for (const { patches } of faults) {
    const fits = groups.some((group) => {
      try {
        group.sources = afterAll(patches, group.sources);
        group.patches.push(...patches);
        return true;
      } catch {
        return false;
      }
    });
    if (!fits) groups.push({ sources: afterAll(patches), patches: [...patches] });
  }
  return groups.map((group) => group.patches);
}

test('there are at least twenty seeded faults, each with a name of its own', () => {
  const names = new Set(seededFaults.map((fault) => fault.name));
  expect(names.size).toBe(seededFaults.length);
  expect(names.size).toBeGreaterThanOrEqual(20);
});

test.each(seededFaults)('$name finds its places in the source, each exactly once', (fault) => {
  const sources = afterAll(fault.patches);
  expect(sources.size).toBeGreaterThan(0);
  for (const [file, source] of sources)
    expect(source).not.toBe(readFileSync(`${project}/src/${file}.ts`, 'utf8'));
});

test('all seeded faults compile', { timeout: 120_000 }, () => {
  const groups = together(seededFaults);
  expect(groups.flat().length).toBe(seededFaults.flatMap((fault) => fault.patches).length);
  for (const patches of groups) {
    using copy = new MutatedCopy(project, patches);
    copy.checkTypes();
  }
});

test('a place that is gone, or is there twice, is an error that names it', () => {
  const patch = { file: 'vault/authorise', search: 'a < b', replacement: 'a > b' };
  expect(() => patched('a = b', patch)).toThrow('src/vault/authorise.ts holds 0 times');
  expect(() => patched('a < b; a < b', patch)).toThrow('holds 2 times, not once: "a < b"');
});

test.each(seededFaults)(
  '$name has a scenario that can run there, with the check that must catch it',
  async ({ trials }) => {
    expect(trials.length).toBeGreaterThan(0);
    for (const { scenario: file, ground, by } of trials) {
      const path = `${project}/chaos/seeded/scenarios/${file}.yaml`;
      const { grounds, checks } = await readScenario(path, vocabulary);
      expect(grounds).toContain(ground);
      const known: readonly string[] = ground === 'simulation' ? [...checks, PROMISES] : checks;
      expect(by.filter((one) => !known.includes(one))).toEqual([]);
    }
  },
);

test('every checker of the product has a seeded fault that it must catch', () => {
  // Judges the faults of a scenario, not the product: it never tells of a violation.
  const caught = new Set(['faults-felt']);
  for (const { trials } of seededFaults)
    for (const name of trials.flatMap((trial) => trial.by)) caught.add(name);
  expect(checkers.map((checker) => checker.name).filter((name) => !caught.has(name))).toEqual([]);
});

test('what is built for operators and nodes holds no seeded fault', () => {
  expect(existsSync(`${project}/dist-chaos/cli/door.js`)).toBe(true);
  expect(existsSync(`${project}/dist-chaos/seeded`)).toBe(false);
  expect(existsSync(`${project}/dist/chaos`)).toBe(false);
});

test.each(seededFaults)('the documentation says what catches $name', ({ name, trials }) => {
  const page = readFileSync(`${project}/docs/chaos.md`, 'utf8');
  const row = page.split('\n').find((line) => line.includes(`| \`${name}\``)) ?? '';
  for (const { scenario, by } of trials)
    for (const word of [scenario, ...by]) expect(row).toContain(word);
});
