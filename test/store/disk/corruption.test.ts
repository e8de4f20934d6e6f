import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { describe, expect, it } from 'vitest';
import type { LogIndex } from '../../../src/raft/index.ts';
import { commit, dump, open, put, remove, tempDirectory } from '../harness.ts';

const STATES = 'states.json';

/** A store of several batches in `live`, closed, and beside it what it held after each batch. */
async function build(root: string): Promise<string> {
  const live = join(root, 'live');
  const states: Record<number, string> = { 0: '[]' };
  await using store = await open(live);
  for (let batch = 0; batch < 8; batch++) {
    commit(store, {
      requestId: new Uint8Array(16).fill(batch),
      writes: [put(`k${batch}`, `value ${batch}`, 100 + batch), put('shared', `${batch}`)],
    });
    if (batch % 3 === 2) commit(store, { writes: [remove(`k${batch - 1}`)] });
    await store.persist(store.revision as number as LogIndex);
    states[store.revision] = JSON.stringify(await dump(store));
  }
  await writeFile(join(root, STATES), JSON.stringify(states));
  return live;
}

async function filesOf(live: string): Promise<readonly string[]> {
  const names = await readdir(join(live, 'state-1'));
  return names
    .filter((name) => /^(?:\d+\.(?:log|ldb)|CURRENT|MANIFEST-\d+)$/.test(name))
    .map((name) => join('state-1', name));
}

async function copyOf(root: string, name: string): Promise<string> {
  const path = join(root, name);
  await mkdir(path);
  await cp(join(root, 'live'), path, { recursive: true });
  return path;
}

/** One copy for every `step` bytes of every file, with one bit flipped there. */
async function flippedCopies(root: string, step: number): Promise<readonly string[]> {
  const copies: string[] = [];
  for (const file of await filesOf(join(root, 'live'))) {
    const bytes = await readFile(join(root, 'live', file));
    for (let at = 0; at < bytes.length; at += step) {
      const copy = await copyOf(root, `copy-${copies.length}`);
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(join(copy, file), damaged);
      copies.push(copy);
    }
  }
  return copies;
}

type Verdict = 'found' | 'whole' | 'SILENT' | 'stopped';

/** What each damaged directory comes to; `stopped` when it ended the process that opened it. */
async function judgeAll(root: string, copies: readonly string[]): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  while (verdicts.length < copies.length) {
    const rest = copies.slice(verdicts.length);
    const args = ['--import', 'tsx', join(import.meta.dirname, 'judge-state.ts')];
    const child = spawn(process.execPath, [...args, join(root, STATES), ...rest]);
    let out = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const signal = await new Promise<string | null>((resolve) => {
      child.once('close', (_, by) => resolve(by));
    });
    verdicts.push(...(out.split('\n').filter(Boolean) as Verdict[]));
    if (verdicts.length === copies.length) break;
    if (signal !== 'SIGABRT' && signal !== 'SIGSEGV') throw new Error(errors);
    verdicts.push('stopped');
  }
  return verdicts;
}

const count = (verdicts: readonly Verdict[], verdict: Verdict): number =>
  verdicts.filter((other) => other === verdict).length;

describe('damage to the state on disk', () => {
  it('by a flipped bit in the write-ahead file is found, or leaves an earlier state whole', async () => {
    await using directory = await tempDirectory();
    await build(directory.path);
    const verdicts = await judgeAll(directory.path, await flippedCopies(directory.path, 31));
    expect(count(verdicts, 'SILENT')).toBe(0);
    expect(count(verdicts, 'found')).toBeGreaterThan(0);
    expect(count(verdicts, 'whole')).toBeGreaterThan(10);
  }, 60_000);

  it('by a flipped bit in a sorted table is found, stops the process, or is harmless', async () => {
    await using directory = await tempDirectory();
    const live = await build(directory.path);
    const db = new ClassicLevel(join(live, 'state-1'));
    await db.compactRange('\u0000', '\u007f');
    await db.close();
    const verdicts = await judgeAll(directory.path, await flippedCopies(directory.path, 37));
    expect(count(verdicts, 'SILENT')).toBe(0);
    expect(count(verdicts, 'found')).toBeGreaterThan(10);
  }, 60_000);

  it('by a cut of the write-ahead file leaves the state of an earlier batch', async () => {
    await using directory = await tempDirectory();
    const live = await build(directory.path);
    const copies: string[] = [];
    for (const file of await filesOf(live)) {
      if (!file.endsWith('.log')) continue;
      const { length } = await readFile(join(live, file));
      for (let cut = 1; cut < length; cut += Math.ceil(length / 25)) {
        const copy = await copyOf(directory.path, `cut-${copies.length}`);
        await truncate(join(copy, file), length - cut);
        copies.push(copy);
      }
    }
    const verdicts = await judgeAll(directory.path, copies);
    expect(verdicts.length).toBeGreaterThan(10);
    expect(new Set(verdicts)).toEqual(new Set(['whole']));
  }, 60_000);
});
