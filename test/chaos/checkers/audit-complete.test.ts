import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { auditComplete } from '../../../chaos/checkers/audit-complete.ts';
import type { Cluster } from '../../../chaos/grounds/ground.ts';
import { observationOf } from '../../../chaos/grounds/observation.ts';
import type { Entry } from '../../../chaos/history/history.ts';
import { openFileSink, type SignedHead, signHead } from '../../../src/audit/index.ts';
import { hex, SecretBytes, systemClock } from '../../../src/lib/index.ts';
import { quietLogger, quietMetrics } from '../../../src/telemetry/index.ts';

type Told = readonly ['request' | 'response', string, string?];

const clusterId = '0123456789abcdef0123456789abcdef';
const asked = (id: string, kind = 'got'): Entry => ({
  client: 0,
  effect: 'read',
  input: {},
  calledAt: 0,
  returnedAt: 1,
  outcome: 'ok',
  output: { kind },
  correlationId: id,
});
const pair = (id: string): readonly Told[] => [
  ['request', id],
  ['response', id],
];

describe('the checker of audit logs', () => {
  let folder = '';
  const heads: SignedHead[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-audit-check-'));
    heads.length = 0;
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** The log of a node, written by the product's own sink; its head is committed. */
  async function log(node: number, records: readonly Told[]): Promise<string> {
    const path = join(folder, `n${node}.log`);
    const sink = await openFileSink({
      path,
      name: 'file',
      clock: systemClock,
      log: quietLogger,
      metrics: quietMetrics,
    });
    for (const [type, id, error] of records) {
      const members = `"correlationId":"${id}"${error === undefined ? '' : `,"error":"${error}"`}`;
      await sink.append({ type, members });
    }
    const { sequence, hash } = sink.head();
    using seed = SecretBytes.take(new Uint8Array(32).fill(node));
    const place = { clusterId, node, sink: 'file', committedAtMs: 1 };
    if (sequence > 0) heads.push(signHead(seed, { ...place, sequence, hash: hex(hash) }));
    await sink.close();
    return path;
  }

  async function judged(entries: readonly Entry[], withFiles = true): Promise<string> {
    const names = ['n1', 'n2'];
    const call = (operation: string, { node }: { readonly node?: number }) =>
      Promise.resolve(
        operation === 'cluster.status'
          ? { clusterId, members: names.map((name, at) => ({ name, node: at + 1 })) }
          : {
              heads: heads
                .filter((head) => head.node === node)
                .map(({ hash, ...head }) => ({ ...head, head: hash })),
            },
      );
    const cluster = {
      clock: systemClock,
      nodes: names.map((name) => ({ name })),
      client: () => Promise.resolve({ call, close: () => Promise.resolve() }),
      ...(withFiles
        ? { auditFiles: (name: string) => Promise.resolve([join(folder, `${name}.log`)]) }
        : {}),
    } as unknown as Cluster;
    const judgement = await auditComplete.check({
      histories: [{ workload: 'register', label: 'register', parameters: {}, entries }],
      cluster,
      faults: [],
      final: observationOf([]),
      signal: new AbortController().signal,
    });
    return judgement.kind === 'violation'
      ? `${judgement.because} (${judgement.history.length})`
      : judgement.kind;
  }

  test('accepts a pair for each acknowledged request, on whichever node, with tries that came to nothing', async () => {
    await log(1, [['request', 'b'], ...pair('a')]);
    await log(2, [...pair('b'), ['request', 'c', 'auth.permission-denied']]);
    expect(await judged([asked('a'), asked('b'), asked('c', 'denied')])).toBe('ok');
  });

  test('rejects an acknowledged request without an answer on record, and one that nobody recorded', async () => {
    await log(1, [['request', 'a']]);
    await log(2, []);
    expect(await judged([asked('a')])).toContain(
      'a: no audit log has its request and its answer (1)',
    );
    expect(await judged([asked('never')])).toContain('no audit log');
  });

  test('does not take the answer of one node for the request of another', async () => {
    await log(1, [['request', 'a']]);
    await log(2, [['response', 'a']]);
    expect(await judged([asked('a')])).toContain(
      'n2 has the record of its answer and not of the request',
    );
  });

  test('does not take a refusal for an answer', async () => {
    await log(1, [['request', 'a', 'auth.permission-denied']]);
    await log(2, []);
    expect(await judged([asked('a')])).toContain('no audit log');
  });

  test('rejects a chain with a line dropped, changed, or cut off behind a committed head', async () => {
    const path = await log(1, [...pair('a'), ...pair('b')]);
    await log(2, []);
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    const write = (kept: readonly string[]) =>
      writeFile(path, kept.map((line) => `${line}\n`).join(''));
    await write(lines.toSpliced(1, 1));
    expect(await judged([asked('b')])).toContain('are missing');
    await write(lines.with(3, lines[3]?.replace('"b"', '"z"') ?? ''));
    expect(await judged([asked('a')])).toContain('was changed');
    await write(lines.slice(0, 2));
    expect(await judged([asked('a')])).toContain('its end was cut off');
    await write(lines.slice(2));
    expect(await judged([asked('b')])).toContain('begins with record 3');
  });

  test('rejects a chain that was written anew and fits in itself, by its committed head', async () => {
    const path = await log(1, pair('a'));
    const before = [...heads];
    await log(2, []);
    await rm(path);
    await log(1, pair('z'));
    heads.splice(0, heads.length, ...before);
    expect(await judged([asked('z')])).toContain('written anew');
  });

  test('proves nothing on a ground that cannot reach the files, or without correlation ids', async () => {
    await log(1, pair('a'));
    await log(2, []);
    expect(await judged([asked('a')], false)).toBe('undecided');
    const { correlationId: _, ...unnamed } = asked('a');
    expect(await judged([unnamed])).toBe('undecided');
  });
});
