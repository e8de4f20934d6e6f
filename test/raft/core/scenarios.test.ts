import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { runScenario } from '../../harness/scenario.ts';

const FOLDER = new URL('../../scenarios/', import.meta.url);
const scripts = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

describe('scenarios', () => {
  test('are all found', () => {
    expect(scripts.length).toBeGreaterThanOrEqual(9);
  });

  test.each(scripts)('%s', (name) => {
    const text = readFileSync(new URL(name, FOLDER), 'utf8');
    expect(text).toContain('expect ');
    runScenario(text);
  });

  test.each([
    ['cluster 1 2 3\nelect 1\nexpect leader 2', 'line 3: expect leader 2: found 1, expected 2'],
    ['cluster 1\nelect 1\npropose 1 a\nstabilize\nexpect 1 applied b', 'line 5'],
    ['elect 1', 'no cluster yet'],
    ['cluster 1\ndance', 'dance is no known sentence'],
  ])('a script that is wrong fails: %j', (text, because) => {
    expect(() => runScenario(text)).toThrow(because);
  });
});
