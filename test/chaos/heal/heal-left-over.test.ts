import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { healLeftOver } from '../../../chaos/heal/heal-left-over.ts';
import { HealPlan, healScriptFile, healStateFile } from '../../../chaos/heal/heal-plan.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-heal-test-'));
  folders.push(folder);
  return folder;
}

/** A run folder whose plan ends a process and removes its data; and that process. */
async function leftOver() {
  const run = newFolder();
  const data = join(newFolder(), "it's data");
  mkdirSync(data);
  const plan = new HealPlan(run, { scenario: 's', ground: 'processes', startedAt: 'now' });
  plan.add({ id: 'folder', what: 'remove the data', kind: 'remove-folder', folder: data });
  plan.add({ id: 'nodes', what: 'end the nodes', kind: 'end-processes', folder: data });
  const config = join(data, 'n1.yaml');
  const wait = 'console.log("up"); setInterval(() => {}, 1000)';
  const node = spawn(process.execPath, ['-e', wait, config], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(node.stdout, 'data');
  return { run, data, plan, node, ended: once(node, 'exit') };
}

/** As if the runner had died: no process has that number and that start. */
function forgetRunner(run: string): void {
  const path = join(run, healStateFile);
  const state = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...state, runner: { pid: process.pid, started: '1' } }));
}

test('what a dead runner left is undone from the last step to the first', async () => {
  const { run, data, ended } = await leftOver();
  forgetRunner(run);
  expect(await healLeftOver(run)).toEqual(['end the nodes', 'remove the data']);
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect(existsSync(data)).toBe(false);
  expect(existsSync(join(run, healScriptFile))).toBe(false);
  await expect(healLeftOver(run)).rejects.toThrow('Nothing to heal');
});

test('a run whose runner lives is left to it', async () => {
  const { run, data, node, ended } = await leftOver();
  await expect(healLeftOver(run)).rejects.toThrow('still goes on');
  expect(existsSync(data)).toBe(true);
  node.kill('SIGKILL');
  await ended;
});

test('the script does the same without strongroom, and may be run twice', async () => {
  const { run, data, ended } = await leftOver();
  execFileSync(join(run, healScriptFile));
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect(existsSync(data)).toBe(false);
  execFileSync(join(run, healScriptFile));
});

test('a plan whose every step was undone leaves nothing behind', async () => {
  const { run, plan, node, ended } = await leftOver();
  plan.done();
  expect(existsSync(join(run, healStateFile))).toBe(false);
  node.kill('SIGKILL');
  await ended;
});

test("an operator's command that fails stays to be done, with the reason; what was done does not", async () => {
  const run = newFolder();
  const plan = new HealPlan(run, { scenario: 's', ground: 'live', startedAt: 'now' });
  const done = join(run, 'done');
  const mended = join(run, 'mended');
  const note = `require('fs').appendFileSync(${JSON.stringify(done)}, 'x')`;
  const fails = `if (!require('fs').existsSync(${JSON.stringify(mended)})) { console.error('no route'); process.exit(3); }`;
  const hook = { kind: 'hook', timeoutMs: 10_000 } as const;
  plan.add({ ...hook, id: 'a', what: 'join b', command: [process.execPath, '-e', fails] });
  plan.add({ ...hook, id: 'b', what: 'start b', command: [process.execPath, '-e', note] });
  forgetRunner(run);
  await expect(healLeftOver(run)).rejects.toMatchObject({
    code: 'cli.not-healed',
    message: expect.stringMatching(/cannot join b: exit status 3: no route/) as string,
  });
  writeFileSync(mended, '');
  expect(await healLeftOver(run)).toEqual(['join b']);
  expect(readFileSync(done, 'utf8')).toBe('x');
  expect(existsSync(join(run, healStateFile))).toBe(false);
});
