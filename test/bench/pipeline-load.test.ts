import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ServerCredentials } from '@grpc/grpc-js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { framed, MessageReader } from '../../bench/load/grpc-frames.ts';
import { createApiServer } from '../../src/api/index.ts';
import { systemClock } from '../../src/lib/index.ts';
import { quietLogger, quietMetrics } from '../../src/telemetry/index.ts';
import { FakeVault } from '../api/fake-vault.ts';
import { TestHealth, TestSnapshots } from '../api/fixture.ts';

test('messages are found again however the bytes were cut', () => {
  const part = fc.uint8Array({ maxLength: 50 });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.integer({ min: 1, max: 40 }), (parts, cut) => {
      const bytes = Buffer.concat(parts.map((one) => framed(one)));
      const found: number[][] = [];
      const reader = new MessageReader((message) => found.push([...message]));
      for (let at = 0; at < bytes.length; at += cut) reader.push(bytes.subarray(at, at + cut));
      expect(found).toEqual(parts.map((one) => [...one]));
    }),
  );
});

test('the generator keeps its calls in flight, and counts what failed apart', async () => {
  const vault = new FakeVault();
  const api = createApiServer({
    vault,
    snapshots: new TestSnapshots(),
    health: new TestHealth(),
    credentials: ServerCredentials.createInsecure(),
    clock: systemClock,
    log: quietLogger,
    metrics: quietMetrics,
  });
  const address = await api.listen('127.0.0.1:0');
  const run = async (call: string) => {
    const plan = {
      urls: [`http://${address}`],
      call,
      inFlight: 16,
      seconds: 0.5,
      warmupSeconds: 0.2,
      connections: 2,
      headers: { authorization: 'Bearer x' },
      keys: 100,
      valueBytes: 64,
    };
    const file = new URL('../../bench/load/pipeline-load.ts', import.meta.url).pathname;
    const args = ['--import', 'tsx', file, JSON.stringify(plan)];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return JSON.parse(stdout) as { operations: number; errors: number; firstError?: string };
  };
  try {
    const missing = await run('strongroom.get');
    expect(missing).toMatchObject({
      operations: 0,
      firstError: expect.stringContaining('kv.not-found') as string,
    });
    const puts = await run('strongroom.put');
    expect(puts).toMatchObject({ errors: 0 });
    expect(puts.operations).toBeGreaterThan(16);
    expect(vault.requests.at(-1)?.token).toBe('x');
  } finally {
    await api.stop(0);
  }
});
