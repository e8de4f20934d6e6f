import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../chaos/grounds/processes/eventually.ts';
import { NodeProcess } from '../../../chaos/grounds/processes/node-process.ts';
import type { NodeConfigInput } from '../../../src/server/config/index.ts';

/** Serves at once; told to, it is as a node whose disk failed: serves no more, and ends after that. */
const ENDING = `
const { renameSync, rmSync, writeFileSync } = require('node:fs');
const ready = process.env.READY_FILE;
setInterval(() => {}, 1_000);
process.on('SIGUSR2', () => {
  rmSync(ready);
  setTimeout(() => process.exit(1), 400);
});
// Whole or not at all, as a node does it.
writeFileSync(ready + '.new', JSON.stringify({ pid: process.pid }));
renameSync(ready + '.new', ready);
`;

/** A node whose program is that of a test. */
async function nodeOf(program: string) {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-node-process-'));
  const dataDir = join(folder, 'data');
  const readyFile = join(dataDir, 'ready.json');
  const main = join(folder, 'main.cjs');
  writeFileSync(main, program);
  const config = { name: 'one', dataDir } as NodeConfigInput;
  const node = await NodeProcess.create(folder, config, { READY_FILE: readyFile });
  node.useProgram(main);
  onTestFinished(async () => {
    await node.stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  return { node, readyFile };
}

test('a node that is ending by itself is started again when it has', async () => {
  const { node, readyFile } = await nodeOf(ENDING);
  await node.ensureStarted();
  const { pid } = node.ready;
  await node.signal('SIGUSR2');
  await eventually(() => Promise.resolve(!existsSync(readyFile)), 'it serves no more');
  expect(node.running).toBe(true);
  await node.ensureStarted();
  expect(node.ready.pid).not.toBe(pid);
  expect(node.running).toBe(true);
});

test('a node that runs is left alone, and one that is starting is waited for', async () => {
  const { node } = await nodeOf(ENDING);
  await Promise.all([node.ensureStarted(), node.ensureStarted()]);
  const { pid } = node.ready;
  await node.ensureStarted();
  expect(node.pid).toBe(pid);
});

test('who waits for a node that another fault ends meanwhile waits no longer', async () => {
  const { node } = await nodeOf('setInterval(() => {}, 1_000);');
  const waiting = node.ensureStarted();
  await eventually(() => Promise.resolve(node.running), 'it runs');
  await node.stop('SIGKILL');
  await waiting;
  expect(node.running).toBe(false);
});

test('a node that refuses to start says so, with the end of its log', async () => {
  const { node } = await nodeOf(`console.error('this disk is not mine'); process.exitCode = 1;`);
  await expect(node.ensureStarted()).rejects.toThrow('this disk is not mine');
});
