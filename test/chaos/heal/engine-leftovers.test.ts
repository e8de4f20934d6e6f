import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endEngine, removeRun } from '../../../chaos/heal/engine-leftovers.ts';
import { type HealStep, shellOf, takeStep } from '../../../chaos/heal/heal-step.ts';

let folder = '';
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-engine-test-'));
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

interface Thing {
  readonly Id: string;
  readonly run: string | undefined;
}

/** As an engine answers: lists what has a label, removes by id, refuses what is not there. */
async function engineWith(containers: Thing[], networks: Thing[], keeps?: string) {
  const removed: string[] = [];
  const all = { containers, networks };
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://engine');
    const [, kind = '', id] = url.pathname.split('/');
    const things = all[kind as keyof typeof all];
    if (request.method === 'GET') {
      const [label = ''] = (
        JSON.parse(url.searchParams.get('filters') ?? '{"label":[]}') as { label: string[] }
      ).label;
      const isOurs = ({ run }: Thing) =>
        label === 'strongroom.chaos.run'
          ? run !== undefined
          : label === `strongroom.chaos.run=${run}`;
      response.end(JSON.stringify(things.filter(isOurs)));
      return;
    }
    const at = things.findIndex((one) => one.Id === id && id !== keeps);
    if (at < 0) response.statusCode = 404;
    else removed.push(...things.splice(at, 1).map((one) => `${kind} ${one.Id}`));
    response.end('{}');
  });
  const socket = join(folder, 'engine.sock');
  await new Promise<void>((resolve) => {
    server?.listen(socket, resolve);
  });
  return { socket, removed };
}

test('what a run made is removed from the engine, containers first; what others made stays', async () => {
  const { socket, removed } = await engineWith(
    [
      { Id: 'a1', run: 'ours' },
      { Id: 'b1', run: 'theirs' },
      { Id: 'c1', run: undefined },
    ],
    [
      { Id: 'a2', run: 'ours' },
      { Id: 'b2', run: 'theirs' },
    ],
  );
  expect(await removeRun(socket, 'ours')).toBe(2);
  expect(removed).toEqual(['containers a1', 'networks a2']);
  expect(await removeRun(socket, 'ours')).toBe(0);
});

test('a heal tells what the engine does not remove', async () => {
  const ours = [
    { Id: 'a1', run: 'ours' },
    { Id: 'a2', run: 'ours' },
  ];
  const { socket, removed } = await engineWith(ours, [], 'a2');
  const step = (run: string): HealStep => ({
    id: 'containers',
    what: 'remove',
    kind: 'remove-containers',
    socket,
    run,
  });
  expect(await takeStep(step('ours'))).toContain('keeps containers');
  expect(removed).toEqual(['containers a1']);
  expect(await takeStep(step('theirs'))).toBeUndefined();
});

test('where no engine runs, nothing is left of a run', async () => {
  expect(await removeRun(join(folder, 'none.sock'), 'ours')).toBe(0);
});

/** A process that is called like an engine, or not. */
async function startProgram(name: string) {
  const path = join(folder, name);
  copyFileSync('/bin/sleep', path);
  const child = spawn(path, ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const pidFile = join(folder, 'pid');
  writeFileSync(pidFile, `${child.pid}\n`);
  return { child, pidFile, ended: once(child, 'exit') };
}

test('an engine that was started for a run is ended, but not while another run is in it', async () => {
  const { socket } = await engineWith([{ Id: 'b1', run: 'theirs' }], []);
  const { child, pidFile, ended } = await startProgram('dockerd');
  expect(await endEngine(socket, pidFile)).toBe(false);
  expect(child.exitCode ?? child.signalCode).toBeNull();
  expect(await endEngine(join(folder, 'none.sock'), pidFile)).toBe(true);
  expect(await ended).toEqual([null, 'SIGTERM']);
  await endEngine(join(folder, 'none.sock'), join(folder, 'none'));
});

test('a program that has the number of an engine by now is left alone', async () => {
  const { child, pidFile, ended } = await startProgram('other');
  await endEngine(join(folder, 'none.sock'), pidFile);
  expect(child.exitCode ?? child.signalCode).toBeNull();
  child.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
});

test('the heal script removes by the label of the run alone', () => {
  const step: HealStep = {
    id: 'containers',
    what: 'remove',
    kind: 'remove-containers',
    socket: '/run/engine.sock',
    run: '0a1b',
  };
  const lines = shellOf(step).split('\n');
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).toContain("--filter 'label=strongroom.chaos.run=0a1b'");
});
