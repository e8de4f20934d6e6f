import {
  appendFileSync,
  chmodSync,
  existsSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { describe, expect, test, vi } from 'vitest';
import { openFileSink, verifyAuditFile, verifyAuditFiles } from '../../src/audit/index.ts';
import { deferred, hex } from '../../src/lib/index.ts';
import { quietLogger } from '../../src/telemetry/index.ts';
import { linesOf, recordOf, sinkOptions, temporaryFolder } from './chain-fixture.ts';

describe('the file sink', () => {
  test('writes a line of JSON a record, in the order they came, in a file of mode 0600', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const sink = await openFileSink(sinkOptions(path));
    await Promise.all([1, 2, 3].map((n) => sink.append(recordOf(n))));
    const lines = linesOf(path).map((line): unknown => JSON.parse(line));
    expect(lines).toMatchObject([
      { sequence: 1, previous: '0'.repeat(64), type: 'response', n: 1, operation: 'kv.put' },
      { sequence: 2, n: 2, text: 'ä "quoted" \n line' },
      { sequence: 3, n: 3 },
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(sink.head().sequence).toBe(3);
    expect(lines[2]).toMatchObject({ hash: hex(sink.head().hash) });
    await sink.close();
  });

  test('a record is in the file when its promise resolves', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const sink = await openFileSink({ ...sinkOptions(path), fsync: true });
    for (let n = 1; n <= 5; n++) {
      await sink.append(recordOf(n));
      expect(linesOf(path)).toHaveLength(n);
    }
    await sink.close();
  });

  test('records of one turn of the event loop share a write', async () => {
    using folder = temporaryFolder();
    let writes = 0;
    const observed = { observe: () => void (writes += 1) };
    const { metrics } = sinkOptions('');
    const sink = await openFileSink({
      ...sinkOptions(folder.path('audit.log')),
      metrics: { ...metrics, histogram: () => observed },
    });
    await Promise.all(Array.from({ length: 500 }, (_, n) => sink.append(recordOf(n))));
    expect(writes).toBe(1);
    await sink.close();
  });

  test('goes on with the chain after a restart', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    for (let run = 0; run < 3; run++) {
      const sink = await openFileSink(sinkOptions(path));
      await Promise.all([1, 2].map((n) => sink.append(recordOf(n))));
      await sink.close();
    }
    expect(await verifyAuditFile(path)).toMatchObject({ isIntact: true, records: 6 });
  });

  test('cuts off a torn last line, and says so in the log and in the chain', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const first = await openFileSink(sinkOptions(path));
    await first.append(recordOf(1));
    await first.close();
    appendFileSync(path, '{"sequence":2,"previous":"ab');
    const warnings: string[] = [];
    const log = { ...quietLogger, warn: (_: unknown, message: string) => warnings.push(message) };
    const second = await openFileSink({ ...sinkOptions(path), log });
    await second.append(recordOf(2));
    await second.close();
    expect(warnings).toHaveLength(1);
    expect(JSON.parse(linesOf(path)[1] ?? '')).toMatchObject({
      sequence: 2,
      type: 'sink',
      event: 'torn-end-removed',
      tornBytes: 28,
    });
    expect(await verifyAuditFile(path)).toMatchObject({ isIntact: true, records: 3 });
  });

  test('does not go on from a last line that was changed', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const sink = await openFileSink(sinkOptions(path));
    await sink.append(recordOf(1));
    await sink.close();
    const text = readFileSync(path, 'utf8').replace('kv.put', 'kv.get');
    writeFileSync(path, text);
    await expect(openFileSink(sinkOptions(path))).rejects.toMatchObject({
      code: 'audit.chain-broken',
    });
    expect(readFileSync(path, 'utf8'), 'the evidence stays').toBe(text);
    writeFileSync(path, 'not an audit file\n');
    await expect(openFileSink(sinkOptions(path))).rejects.toMatchObject({
      code: 'audit.chain-broken',
    });
  });

  test('goes on in a new file after the old was moved away', async () => {
    using folder = temporaryFolder();
    const [path, old] = [folder.path('audit.log'), folder.path('audit.log.1')];
    const sink = await openFileSink(sinkOptions(path));
    await sink.append(recordOf(1));
    renameSync(path, old);
    const late = sink.append(recordOf(2));
    await Promise.all([late, sink.reopen()]);
    await sink.append(recordOf(3));
    await sink.reopen();
    await sink.append(recordOf(4));
    await sink.close();
    expect(await verifyAuditFiles([old, path])).toMatchObject({ isIntact: true, records: 4 });
    expect(linesOf(path).length).toBeGreaterThanOrEqual(2);
  });

  test('does not go on in a file that holds another chain', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const other = await openFileSink(sinkOptions(folder.path('other.log')));
    await other.append(recordOf(7));
    await other.close();
    const sink = await openFileSink(sinkOptions(path));
    await sink.append(recordOf(1));
    renameSync(path, folder.path('audit.log.1'));
    renameSync(folder.path('other.log'), path);
    await expect(sink.reopen()).rejects.toMatchObject({ code: 'audit.sink-failed' });
    await sink.append(recordOf(2));
    await sink.close();
    expect(linesOf(folder.path('audit.log.1'))).toHaveLength(2);
    expect(linesOf(path)).toHaveLength(1);
  });

  test('a new file goes on from the head that the cluster committed', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const startAfter = { sequence: 41, hash: 'ab'.repeat(32) };
    const sink = await openFileSink({ ...sinkOptions(path), startAfter });
    await sink.append(recordOf(1));
    await sink.close();
    expect(JSON.parse(linesOf(path)[0] ?? '')).toMatchObject({
      sequence: 42,
      previous: startAfter.hash,
    });
  });

  test('refuses records while the disk is full, leaves no torn line, and goes on by itself', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const sink = await openFileSink(sinkOptions(path));
    await sink.append(recordOf(1));
    const full = await fillDisk(folder.path('probe'));
    const refused = await Promise.allSettled([2, 3].map((n) => sink.append(recordOf(n))));
    for (const one of refused) {
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'audit.sink-failed' } });
    }
    expect(sink.isHealthy).toBe(false);
    expect(sink.head().sequence).toBe(1);
    full.mockRestore();
    await sink.append(recordOf(4));
    expect(sink.isHealthy).toBe(true);
    await sink.close();
    expect(await verifyAuditFile(path)).toMatchObject({ isIntact: true, records: 2 });
  });

  test('is well again by itself once it can be written, and says in the chain what it refused', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const sink = await openFileSink(sinkOptions(path));
    const full = await fillDisk(folder.path('probe'));
    await Promise.allSettled([1, 2, 3].map((n) => sink.append(recordOf(n))));
    const well = new Promise<void>((resolve) => sink.onHealthChange(() => resolve()));
    full.mockRestore();
    await well;
    expect(sink.isHealthy).toBe(true);
    await sink.close();
    const lines = linesOf(path).map((line): unknown => JSON.parse(line));
    expect(lines).toMatchObject([{ type: 'sink', event: 'writes-again', refusedRecords: 3 }]);
    expect(await verifyAuditFile(path)).toMatchObject({ isIntact: true, records: 1 });
  });

  test('refuses records while a write hangs, those that wait too, and goes on when it ends', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const sink = await openFileSink(sinkOptions(path));
    const hanging = await hangDisk(folder.path('probe'));
    const refused = { status: 'rejected', reason: { code: 'audit.sink-failed' } };
    const first = sink.append(recordOf(1));
    await hanging.begun;
    expect(await Promise.allSettled([first, sink.append(recordOf(2))])).toMatchObject([
      refused,
      refused,
    ]);
    expect(sink.isHealthy).toBe(false);
    await expect(sink.append(recordOf(3))).rejects.toMatchObject(refused.reason);
    const well = new Promise<void>((resolve) => sink.onHealthChange(() => resolve()));
    hanging.end();
    await well;
    await sink.append(recordOf(4));
    await sink.close();
    // The write that hung did end: its record stands, those that waited behind it do not.
    expect(linesOf(path).map((line) => JSON.parse(line).n)).toEqual([1, 4]);
    expect(await verifyAuditFile(path)).toMatchObject({ isIntact: true, records: 2 });
  });

  test('is closed though a write hangs', async () => {
    using folder = temporaryFolder();
    const sink = await openFileSink(sinkOptions(folder.path('audit.log')));
    const hanging = await hangDisk(folder.path('probe'));
    const outcome = sink.append(recordOf(1)).catch((error: unknown) => error);
    await hanging.begun;
    await sink.close();
    expect(await outcome).toMatchObject({ code: 'audit.sink-failed' });
    hanging.end();
  });

  test('refuses what it cannot write, and only that', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const sink = await openFileSink(sinkOptions(path));
    const refused = { code: 'audit.sink-failed' };
    const outcomes = await Promise.allSettled([
      sink.append(recordOf(1)),
      sink.append({ type: 'request', members: `"big":"${'ä'.repeat(600_000)}"` }),
      sink.append(recordOf(2)),
    ]);
    expect(outcomes).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: refused },
      { status: 'fulfilled' },
    ]);
    await sink.close();
    await expect(sink.append(recordOf(3))).rejects.toMatchObject(refused);
    expect(await verifyAuditFile(path)).toMatchObject({ isIntact: true, records: 2 });
  });

  test('holds a bounded number of waiting records', async () => {
    using folder = temporaryFolder();
    const sink = await openFileSink(sinkOptions(folder.path('audit.log')));
    const all = Array.from({ length: 10_005 }, (_, n) => sink.append(recordOf(n)));
    const outcomes = await Promise.allSettled(all);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(5);
    await sink.close();
  });

  test('writes what was taken before it closes', async () => {
    using folder = temporaryFolder();
    const path = folder.path('audit.log');
    const sink = await openFileSink(sinkOptions(path));
    const all = Array.from({ length: 50 }, (_, n) => sink.append(recordOf(n)));
    await sink.close();
    await Promise.all(all);
    expect(linesOf(path)).toHaveLength(50);
  });

  test('does not follow links or write to what is no file, and tightens a loose mode', async () => {
    using folder = temporaryFolder();
    const [path, link] = [folder.path('audit.log'), folder.path('link.log')];
    writeFileSync(folder.path('target'), '');
    symlinkSync(folder.path('target'), link);
    const refused = { code: 'audit.sink-failed' };
    await expect(openFileSink(sinkOptions(link))).rejects.toMatchObject(refused);
    await expect(openFileSink(sinkOptions(folder.path('.')))).rejects.toMatchObject(refused);
    writeFileSync(path, '');
    chmodSync(path, 0o644);
    await (await openFileSink(sinkOptions(path))).close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(existsSync(link)).toBe(true);
  });
});

/** From now on every file takes the first 20 bytes of a write and then has no more room. */
/** The next write of any file waits for `end`. */
async function hangDisk(probe: string) {
  await using handle = await open(probe, 'w');
  const files: Pick<FileHandle, 'write'> = Object.getPrototypeOf(handle);
  const { write } = files;
  const begun = deferred<void>();
  const ended = deferred<void>();
  const spy = vi.spyOn(files, 'write').mockImplementationOnce(async function (
    this: FileHandle,
    ...given: unknown[]
  ) {
    begun.resolve();
    await ended.promise;
    return Reflect.apply(write, this, given);
  });
  const end = () => {
    spy.mockRestore();
    ended.resolve();
  };
  return { begun: begun.promise, end };
}

async function fillDisk(probe: string) {
  await using handle = await open(probe, 'w');
  const files: Pick<FileHandle, 'write'> = Object.getPrototypeOf(handle);
  const { write } = files;
  return vi.spyOn(files, 'write').mockImplementation(async function (
    this: FileHandle,
    ...[bytes]: unknown[]
  ) {
    if (!Buffer.isBuffer(bytes)) throw new Error('The sink writes buffers');
    await Reflect.apply(write, this, [bytes, 0, 20]);
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  });
}
