import { describe, expect, it } from 'vitest';
import { type AuditHead, signHead } from '../../../src/audit/index.ts';
import { SecretBytes, systemClock, utf8Bytes } from '../../../src/lib/index.ts';
import { HeadKeeper, newestOf } from '../../../src/server/audit-heads/head-keeper.ts';
import {
  encodeKept,
  HEADS_PREFIX,
  headKeyRecord,
  parseKept,
} from '../../../src/server/audit-heads/head-records.ts';
import { HeadWatch } from '../../../src/server/audit-heads/head-watch.ts';
import type { CommittedHead } from '../../../src/server/cluster/peer-request.ts';
import { SystemRecords } from '../../../src/server/cluster/system-records.ts';
import { quietLogger, quietMetrics } from '../../../src/telemetry/index.ts';
import { commit, open, tempDirectory } from '../../store/harness.ts';

const clusterId = '0f'.repeat(16);
const seedOf = (byte: number) => SecretBytes.take(new Uint8Array(32).fill(byte));
const hash = (text: string) => text.repeat(64);

/** Signed by node 2's key, unless another is named. */
function head(sequence: number, change: Partial<AuditHead> = {}, keyByte = 2): CommittedHead {
  using seed = seedOf(keyByte);
  const signed = signHead(seed, {
    clusterId,
    node: 2,
    sink: 'file',
    sequence,
    hash: hash('a'),
    committedAtMs: sequence,
    ...change,
  });
  const { node, sink, committedAtMs } = signed;
  const [signature, publicKey] = [signed.signature, signed.publicKey].map((bytes) =>
    Buffer.from(bytes).toString('base64'),
  );
  return {
    node,
    sink,
    sequence,
    head: signed.hash,
    committedAtMs,
    signature: signature ?? '',
    publicKey: publicKey ?? '',
  };
}

async function cluster() {
  const directory = await tempDirectory();
  const store = await open(directory.path);
  const records = new SystemRecords(store, (transaction) =>
    Promise.resolve(commit(store, transaction)),
  );
  const time = { nowMs: 1_700_000_000_000 };
  const clock = { ...systemClock, wallMs: () => time.nowMs };
  const keeper = new HeadKeeper({ records, clusterId, clock });
  const wrong = { count: 0 };
  const metrics = { ...quietMetrics, counter: () => ({ add: () => void wrong.count++ }) };
  const watch = () => HeadWatch.open({ records, clusterId, log: quietLogger, metrics });
  return {
    records,
    keeper,
    wrong,
    watch,
    time,
    async kept() {
      const all = await records.list(HEADS_PREFIX, 10_000);
      return all.flatMap(({ value }) => parseKept(value) ?? []);
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const refused = { code: 'audit.head-refused' };

describe('a head that a node asks to have committed', () => {
  it('is refused when it is wrong, and the good one before it stays', async () => {
    await using at = await cluster();
    await at.keeper.accept(2, head(10));
    const good = await at.kept();
    const flipped = head(11);
    const signature = Buffer.from(flipped.signature, 'base64');
    signature[0] = (signature[0] ?? 0) ^ 1;
    const wrong: readonly (readonly [string, CommittedHead, number?])[] = [
      ['of another node', head(11), 3],
      ['of another cluster', head(11, { clusterId: 'ff'.repeat(16) })],
      ['not signed', { ...flipped, signature: '' }],
      ['with another signature', { ...flipped, signature: signature.toString('base64') }],
      ['with another number than was signed', { ...head(11), sequence: 12 }],
      ['of another key', head(11, {}, 3)],
      ['that goes back', head(9)],
      ['with another hash for a committed record', head(10, { hash: hash('b') })],
      ['with numbers that are none', { ...head(11), committedAtMs: 1e300 }],
    ];
    for (const [what, one, from = 2] of wrong) {
      const outcome = await at.keeper.accept(from, one).then(
        () => 'committed',
        (error: unknown) => error,
      );
      expect(outcome, `${what}`).toMatchObject(refused);
    }
    expect(await at.kept()).toEqual(good);
    await at.keeper.accept(2, head(11, { hash: hash('b') }));
    expect(newestOf(await at.kept())?.head.sequence).toBe(11);
  });

  it('costs nothing when it is committed already, and is not of another sink', async () => {
    await using at = await cluster();
    await at.keeper.accept(2, head(10));
    const kept = await at.kept();
    await at.keeper.accept(2, head(10));
    expect(await at.kept()).toEqual(kept);
    await at.keeper.accept(2, head(3, { sink: 'other' }));
    expect((await at.kept()).length).toBe(2 * kept.length);
  });

  it('does not push out the first of its hour and its day, however many come', async () => {
    await using at = await cluster();
    await at.keeper.accept(2, head(1));
    at.time.nowMs += 3 * 3_600_000;
    for (let sequence = 2; sequence <= 300; sequence++) {
      at.time.nowMs += 1_000;
      await at.keeper.accept(2, head(sequence));
    }
    const sequences = (await at.kept()).map((one) => one.head.sequence);
    expect(sequences).toContain(1);
    expect(sequences).toContain(2);
    expect(sequences).toContain(300);
    expect(sequences).not.toContain(150);
    expect(sequences.length).toBeLessThan(80);
  });
});

describe('a head that the log brings', () => {
  it('is told by every node when it is wrong, whoever had it committed', async () => {
    await using at = await cluster();
    await at.keeper.accept(2, head(10));
    using _watch = await at.watch();
    expect(at.wrong.count).toBe(0);
    const name = `${HEADS_PREFIX}0000000002/file/recent/9`;
    const put = (record: string, one: CommittedHead) =>
      at.records.write(
        new Map([[record, encodeKept({ head: one, keptAtMs: 0, count: 9 })]]),
        new Map(),
        AbortSignal.timeout(1_000),
      );
    await put(name, head(11));
    expect(at.wrong.count).toBe(0);
    await put(name, head(5));
    expect(at.wrong.count).toBe(1);
    await put(name, head(12, {}, 3));
    expect(at.wrong.count).toBe(2);
    await put(`${HEADS_PREFIX}0000000003/file/recent/9`, head(12));
    expect(at.wrong.count).toBe(3);
    // A wrong one does not become what later ones are measured by.
    await put(name, head(12));
    expect(at.wrong.count).toBe(3);
  });

  it('is checked at the start, too', async () => {
    await using at = await cluster();
    await at.keeper.accept(2, head(10));
    await at.keeper.accept(2, head(20));
    using _right = await at.watch();
    expect(at.wrong.count).toBe(0);
    await at.records.write(
      new Map([[headKeyRecord(2), utf8Bytes(head(1, {}, 3).publicKey)]]),
      new Map(),
      AbortSignal.timeout(1_000),
    );
    using _watch = await at.watch();
    expect(at.wrong.count).toBeGreaterThan(0);
  });
});
