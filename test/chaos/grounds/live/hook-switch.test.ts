import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HookSwitch } from '../../../../chaos/grounds/live/hook-switch.ts';
import { HealPlan } from '../../../../chaos/heal/heal-plan.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-hook-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** A hook that writes down what it was called with; healing fails while `folder/broken` is there. */
function newSwitch() {
  const log = join(folder, 'log');
  const note = `require('fs').appendFileSync(${JSON.stringify(log)}, [...process.argv.slice(1), ...(process.env.STRONGROOM_TOKEN ? ['a token'] : [])].join('|') + '\\n');`;
  const breaks = `if (require('fs').existsSync(${JSON.stringify(join(folder, 'broken'))})) { console.error('no route'); process.exit(7); }`;
  const plan = new HealPlan(folder, { scenario: 's', ground: 'live', startedAt: 'now' });
  const hook = {
    inject: [process.execPath, '-e', note, '--', 'on', '{node}', 'by {delay}'],
    heal: [process.execPath, '-e', `${breaks}${note}`, '--', 'off', '{node}'],
    timeoutMs: 10_000,
  };
  const calls = () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []);
  return { one: new HookSwitch('hsm.link', hook, plan), plan, calls };
}

test('a command is given its words as they are, read by no shell, and no token', async () => {
  const { one, calls } = newSwitch();
  vi.stubEnv('STRONGROOM_TOKEN', 'hvs.x');
  await one.lay('a', 'l', { node: '$(id); rm -rf "x"', delay: '5' });
  expect(calls()).toEqual(['on|$(id); rm -rf "x"|by 5']);
});

test('the last of several faults to go heals; until then the newest that is left counts', async () => {
  const { one, plan, calls } = newSwitch();
  await one.lay('a', 'first', { node: 'a', delay: '1' });
  await one.lay('a', 'second', { node: 'a', delay: '2' });
  await one.lift('a', 'second');
  expect(calls()).toEqual(['on|a|by 1', 'on|a|by 2', 'on|a|by 1']);
  expect(plan.steps).toHaveLength(1);
  await one.liftAll('first');
  await one.liftAll('first');
  expect(calls().slice(3)).toEqual(['off|a']);
  expect(plan.steps).toEqual([]);
});

test('a heal that fails says why and stays in the plan, and the next one is tried', async () => {
  const { one, plan } = newSwitch();
  await one.lay('a', 'l', { node: 'a', delay: '1' });
  writeFileSync(join(folder, 'broken'), '');
  await expect(one.lift('a', 'l')).rejects.toThrow(/exit status 7\): no route/);
  expect(plan.steps).toMatchObject([{ kind: 'hook', what: 'heal hsm.link of a' }]);
  rmSync(join(folder, 'broken'));
  await one.heal();
  expect(plan.steps).toEqual([]);
});
