import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DataCopies } from '../../../chaos/grounds/processes/data-copies.ts';
import { SeededRandom } from '../../../src/lib/index.ts';

let folder: string;
let copies: DataCopies;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-copies-'));
  mkdirSync(join(folder, 'a', 'log'), { recursive: true });
  writeFileSync(join(folder, 'a', 'log', '1'), 'hello world');
  writeFileSync(join(folder, 'a', 'log', 'empty'), '');
  copies = new DataCopies(join(folder, 'copies'), (node) => join(folder, node));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const log = () => readFileSync(join(folder, 'a', 'log', '1'), 'utf8');

test('a disk that was kept is put back whole, and what came later is gone', async () => {
  await copies.keep('a', '1-flip');
  writeFileSync(join(folder, 'a', 'log', '1'), 'other');
  writeFileSync(join(folder, 'a', 'later'), 'x');
  for (let twice = 0; twice < 2; twice++) {
    await copies.putBack('a', '1-flip');
    expect(log()).toBe('hello world');
    expect(readdirSync(join(folder, 'a'))).toEqual(['log']);
  }
});

test('a copy that was never made, or was forgotten, changes nothing', async () => {
  await copies.putBack('a', 'never');
  await copies.keep('a', 'one');
  await copies.forget('a', 'one');
  await copies.forget('a', 'one');
  writeFileSync(join(folder, 'a', 'log', '1'), 'newer');
  await copies.putBack('a', 'one');
  expect(log()).toBe('newer');
});

test('the same seed flips the same bits, as many as asked for', async () => {
  await copies.keep('a', 'one');
  const flipped = async () => {
    await copies.putBack('a', 'one');
    await copies.flipBits('a', 'log', 1, new SeededRandom(3));
    return readFileSync(join(folder, 'a', 'log', '1'));
  };
  const first = await flipped();
  expect(await flipped()).toEqual(first);
  const before = Buffer.from('hello world');
  const bits = [...first].map((byte, at) => (byte ^ (before[at] ?? 0)).toString(2));
  expect(bits.join('').replaceAll('0', '')).toBe('1');
});

test('a tail is cut, and never more than there is', async () => {
  await copies.cutTail('a', 'log', 6);
  expect(log()).toBe('hello');
  await copies.cutTail('a', 'log', 600);
  expect(log()).toBe('');
  await expect(copies.cutTail('a', 'log', 1)).rejects.toThrow('has nothing in its log yet');
});

test('a copy cannot be named out of its folder', async () => {
  await expect(copies.keep('a', '../../etc')).rejects.toThrow('cannot be the name of a copy');
});
