import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import type { HealState } from '../../chaos/heal/heal-plan.ts';
import { isRunning, processIdentity } from '../../chaos/heal/process-identity.ts';
import { readRecord } from '../../chaos/runner/read-record.ts';

const cli = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-chaos-test-'));
  folders.push(folder);
  return folder;
}

function chaos(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [cli, 'chaos', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Resolves with what it printed, and its exit status. */
async function finished(child: ChildProcess): Promise<{ status: number | null; out: string }> {
  let out = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, out };
}

/** Resolves when a line of progress holds `text`. */
async function said(child: ChildProcess, text: string): Promise<void> {
  if (child.stderr === null) throw new Error('It has no standard error');
  const lines = createInterface({ input: child.stderr });
  for await (const line of lines) if (line.includes(text)) return;
  throw new Error(`It ended without saying "${text}"`);
}

test('the loss of a leader is survived by real processes, and the command says so', {
  timeout: 90_000,
}, async () => {
  const folder = newFolder();
  const run = chaos('run', 'leader-loss', '--seed', '3', '--out', folder);
  const { out } = await finished(run);
  // Its objectives are times, which a busy machine may miss: what must hold on any machine is asked.
  expect(out).toContain('Verdict: ');
  const record = await readRecord(folder);
  expect(record.faults.map((one) => one.fault)).toEqual(['kill', 'kill', 'kill']);
  expect(record.faults.map((one) => one.error)).toEqual([undefined, undefined, undefined]);
  expect(record.faults.every((one) => typeof one.recovery?.injection === 'number')).toBe(true);
  expect(record.checks).toMatchObject([{ name: 'linearizable', kind: 'ok' }]);
  const terms = record.samples.map((sample) => sample.observation.term);
  expect(Math.max(...terms)).toBeGreaterThanOrEqual(4);
});

test('what clients saw of real processes under kills, pauses, partitions and delays is linearizable', {
  timeout: 120_000,
}, async () => {
  const folder = newFolder();
  const run = chaos('run', 'mixed-faults', '--seed', '20261124', '--out', folder);
  const { status, out } = await finished(run);
  expect(out).toContain('Verdict: PASSED');
  expect(status).toBe(0);
  const { faults, workloads } = await readRecord(folder);
  expect(new Set(faults.map((one) => one.fault))).toEqual(
    new Set(['kill', 'pause', 'partition', 'delay']),
  );
  expect(workloads[0]?.ok).toBeGreaterThan(500);
});

test('Ctrl-C heals, and chaos heal undoes what a killed runner has left', {
  timeout: 90_000,
}, async () => {
  const interrupted = newFolder();
  const one = chaos('run', 'leader-loss', '--out', interrupted);
  await said(one, '>>> kill');
  one.kill('SIGINT');
  expect((await finished(one)).status).toBe(130);
  expect((await readRecord(interrupted)).verdict).toEqual({ kind: 'interrupted' });
  expect(existsSync(join(interrupted, 'state.json'))).toBe(false);

  const killed = newFolder();
  const two = chaos('run', 'leader-loss', '--out', killed);
  await said(two, '>>> kill');
  two.kill('SIGKILL');
  await once(two, 'exit');
  const state = JSON.parse(readFileSync(join(killed, 'state.json'), 'utf8')) as HealState;
  const data = state.steps.find((step) => step.kind === 'remove-folder')?.folder ?? '';
  const left = nodesOf(data).map(processIdentity);
  expect(left.length).toBeGreaterThanOrEqual(2);
  expect((await finished(chaos('heal', killed))).status).toBe(0);
  expect(left.filter(isRunning)).toEqual([]);
  expect(existsSync(data)).toBe(false);
  // Again: nothing is left to undo, and it says so.
  expect((await finished(chaos('heal', killed))).out).toContain('Nothing to heal');
});

/** Processes that run from a folder. */
function nodesOf(folder: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${folder}/`);
      } catch {
        return false;
      }
    });
}
