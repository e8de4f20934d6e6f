import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  describeProblem,
  type SignedHead,
  signHead,
  verifyAuditFile,
  verifyAuditFiles,
} from '../../src/audit/index.ts';
import { chainLine, EMPTY_CHAIN, readChainedLine } from '../../src/audit/verify/chained-line.ts';
import { SecretBytes, SeededRandom, utf8Bytes } from '../../src/lib/index.ts';
import { fileOf, linesOf, temporaryFolder, writeLines } from './chain-fixture.ts';

const seed = SecretBytes.take(new SeededRandom(1).bytes(32));
const otherSeed = SecretBytes.take(new SeededRandom(2).bytes(32));

function headOf(line: string, by = seed): SignedHead {
  const read = readChainedLine(utf8Bytes(line));
  if (read === undefined) throw new Error('The line is chained');
  return signHead(by, {
    clusterId: '00112233445566778899aabbccddeeff',
    node: 1,
    sink: 'main',
    sequence: read.sequence,
    hash: read.hash,
    committedAtMs: 1,
  });
}

/** What is found after `change` was done to the lines of an intact file of 20 records. */
async function kindsAfter(change: (lines: string[]) => readonly string[]) {
  using folder = temporaryFolder();
  const path = folder.path('audit.log');
  const lines = await fileOf(path, 20);
  writeLines(path, change([...lines]));
  const verdict = await verifyAuditFile(path);
  return verdict.problems.map(({ kind }) => kind);
}

const lineAt = (lines: readonly string[], at: number) => lines[at] ?? '';

/** The chain from `from` on, made anew with other content: what root on the node could do. */
function rewritten(lines: readonly string[], from: number): readonly string[] {
  const before = from === 0 ? undefined : readChainedLine(utf8Bytes(lineAt(lines, from - 1)));
  let head = before ?? EMPTY_CHAIN;
  const fresh = lines.slice(from).map((_, i) => {
    const chained = chainLine(head, 'request', `"forged":${i}`);
    head = chained.head;
    return chained.line;
  });
  return [...lines.slice(0, from), ...fresh];
}

describe('audit verify', () => {
  test('finds an untouched file intact', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const lines = await fileOf(path, 20);
    const heads = [headOf(lineAt(lines, 4)), headOf(lineAt(lines, 14))];
    expect(await verifyAuditFile(path, { heads })).toMatchObject({
      isIntact: true,
      records: 20,
      firstSequence: 1,
      last: { sequence: 20 },
      headsChecked: 2,
      recordsAfterLastHead: 5,
      problemCount: 0,
    });
  });

  test('finds a changed line and tells it once', async () => {
    const change = (lines: string[]) =>
      lines.map((line, i) => (i === 9 ? line.replace('kv.put', 'kv.get') : line));
    expect(await kindsAfter(change)).toEqual(['changed']);
  });

  test('finds a changed line whose hash was made to fit', async () => {
    const change = (lines: string[]) => {
      const before = readChainedLine(utf8Bytes(lineAt(lines, 8)));
      const forged = chainLine(before ?? EMPTY_CHAIN, 'request', '"forged":true');
      return lines.map((line, i) => (i === 9 ? forged.line : line));
    };
    expect(await kindsAfter(change)).toEqual(['broken-link']);
  });

  test('finds dropped, repeated, moved, inserted and foreign lines', async () => {
    expect(await kindsAfter((lines) => lines.filter((_, i) => i !== 9 && i !== 10))).toEqual([
      'dropped',
    ]);
    expect(await kindsAfter((lines) => lines.toSpliced(10, 0, lineAt(lines, 9)))).toEqual([
      'out-of-order',
    ]);
    const swapped = (lines: string[]) => lines.toSpliced(9, 2, lineAt(lines, 10), lineAt(lines, 9));
    expect(await kindsAfter(swapped)).toEqual(['dropped', 'out-of-order']);
    const inserted = (lines: string[]) => {
      const before = readChainedLine(utf8Bytes(lineAt(lines, 8)));
      return lines.toSpliced(9, 0, chainLine(before ?? EMPTY_CHAIN, 'request', '"n":0').line);
    };
    expect(await kindsAfter(inserted)).toEqual(['out-of-order', 'broken-link']);
    expect(await kindsAfter((lines) => lines.toSpliced(3, 0, 'hello', ''))).toEqual([
      'unreadable',
      'unreadable',
    ]);
  });

  test('any single changed byte in any line is found', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    await fileOf(path, 6);
    const bytes = readFileSync(path);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, xor) => {
          const changed = Buffer.from(bytes);
          changed[at] = (changed[at] ?? 0) ^ xor;
          writeFileSync(folder.path('changed.log'), changed);
          const verdict = await verifyAuditFile(folder.path('changed.log'));
          expect(verdict.isIntact).toBe(false);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('only a committed head tells that the end was cut off at a line', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const lines = await fileOf(path, 20);
    writeLines(path, lines.slice(0, 12));
    expect((await verifyAuditFile(path)).isIntact).toBe(true);
    const verdict = await verifyAuditFile(path, { heads: [headOf(lineAt(lines, 14))] });
    expect(verdict.problems).toEqual([{ kind: 'cut', sequence: 15, last: 12 }]);
  });

  test('finds that the file was emptied or replaced by a new chain', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const lines = await fileOf(path, 20);
    const heads = [headOf(lineAt(lines, 4)), headOf(lineAt(lines, 14))];
    writeLines(path, []);
    expect((await verifyAuditFile(path, { heads })).problems).toEqual([
      { kind: 'cut', sequence: 15, last: 0 },
    ]);
    writeLines(path, rewritten(lines, 0));
    expect((await verifyAuditFile(path)).isIntact).toBe(true);
    expect((await verifyAuditFile(path, { heads })).problems.map(({ kind }) => kind)).toEqual([
      'head-differs',
      'head-differs',
    ]);
    writeLines(path, rewritten(lines, 10));
    expect((await verifyAuditFile(path, { heads })).problems).toEqual([
      { kind: 'head-differs', sequence: 15 },
    ]);
  });

  test('says that a file ends within a line', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    await fileOf(path, 3);
    truncateSync(path, readFileSync(path).length - 10);
    expect((await verifyAuditFile(path)).problems).toEqual([
      { kind: 'torn-end', file: path, line: 3 },
    ]);
  });

  test('reads rotated files as one chain, and tells when one of them is missing', async () => {
    using folder = temporaryFolder();
    const lines = await fileOf(folder.path('all.log'), 30);
    const paths = ['1.log', '2.log', '3.log'].map((name) => folder.path(name));
    for (const [i, path] of paths.entries()) writeLines(path, lines.slice(10 * i, 10 * i + 10));
    const [first = '', second = '', third = ''] = paths;
    expect(await verifyAuditFiles(paths)).toMatchObject({ isIntact: true, records: 30 });
    const heads = [headOf(lineAt(lines, 4)), headOf(lineAt(lines, 24))];
    expect(await verifyAuditFiles([second, third], { heads })).toMatchObject({
      isIntact: true,
      firstSequence: 11,
      headsBefore: 1,
      headsChecked: 1,
    });
    expect((await verifyAuditFiles([first, third])).problems).toMatchObject([
      { kind: 'dropped', file: third, line: 1, missing: 10 },
    ]);
  });

  test('finds that the beginning was dropped, unless it is known to be elsewhere', async () => {
    using folder = temporaryFolder();
    const path = folder.path('a.log');
    writeLines(path, (await fileOf(folder.path('all.log'), 10)).slice(3));
    expect((await verifyAuditFiles([path], { firstRecord: 1 })).problems).toMatchObject([
      { kind: 'dropped', file: path, line: 1, sequence: 4, missing: 3 },
    ]);
    expect(await verifyAuditFiles([path], { firstRecord: 4 })).toMatchObject({ isIntact: true });
  });

  test('a forged or foreign head is no witness', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const lines = await fileOf(path, 20);
    const good = headOf(lineAt(lines, 4));
    const forged = { ...good, sequence: 99 };
    const verdict = await verifyAuditFile(path, { heads: [forged] });
    expect(verdict.problems).toEqual([{ kind: 'bad-head', sequence: 99 }]);
    const foreign = headOf(lineAt(lines, 4), otherSeed);
    const { publicKey } = good;
    expect((await verifyAuditFile(path, { heads: [foreign], publicKey })).problems).toEqual([
      { kind: 'bad-head', sequence: 5 },
    ]);
    expect((await verifyAuditFile(path, { heads: [good], publicKey })).isIntact).toBe(true);
  });

  test('endless lines and endless problems stay within bounds', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const lines = await fileOf(path, 2);
    writeLines(path, [lineAt(lines, 0)]);
    appendFileSync(path, Buffer.alloc(5 * 1024 * 1024, 'x'));
    appendFileSync(path, `\n${lineAt(lines, 1)}\n`);
    appendFileSync(path, 'x\n'.repeat(5000));
    const verdict = await verifyAuditFile(path);
    expect(verdict.problems[0]).toEqual({ kind: 'unreadable', file: path, line: 2 });
    expect(verdict).toMatchObject({ records: 2, problemCount: 5001 });
    expect(verdict.problems).toHaveLength(1000);
  });

  test('a missing file is said, and every problem has a sentence', async () => {
    using folder = temporaryFolder();
    await expect(verifyAuditFile(folder.path('nowhere'))).rejects.toMatchObject({
      code: 'audit.unreadable',
    });
    const path = folder.path('audit.log');
    const lines = await fileOf(path, 9);
    const broken = rewritten(lines, 8).toSpliced(2, 1, 'x').toSpliced(5, 1);
    writeLines(path, [...broken, lineAt(lines, 0), lineAt(lines, 8)]);
    appendFileSync(path, 'torn');
    const { problems } = await verifyAuditFile(path, { heads: [headOf(lineAt(lines, 8))] });
    expect(new Set(problems.map(describeProblem)).size).toBe(problems.length);
    expect(problems.length).toBeGreaterThan(4);
    expect(linesOf(path).length).toBeGreaterThan(5);
  });
});
