import { expect, test, vi } from 'vitest';
import { connect, type WatchBatch } from '../../src/client/index.ts';
import { StrongroomError } from '../../src/lib/index.ts';
import type { SecretEvent } from '../../src/vault/index.ts';
import { FakeVault } from '../api/fake-vault.ts';
import { ApiFixture } from '../api/fixture.ts';

const event = (revision: number): SecretEvent => ({ kind: 'put', path: 'p', version: 1, revision });
const batch = (revision: number) => ({ events: [event(revision)], revision });

function clientOf(...fixtures: readonly ApiFixture[]) {
  return connect({
    addresses: fixtures.map((fixture) => fixture.address),
    ca: fixtures[0]?.identity.ca,
    token: 't',
  });
}

test('a watch goes on at another node from where the first one stopped', async () => {
  const vault = new FakeVault();
  const first = await ApiFixture.start({}, { vault });
  await using second = await ApiFixture.start({}, { vault });
  await using client = await clientOf(first, second);
  for (const revision of [1, 2, 3]) vault.tell(batch(revision));
  const seen: number[] = [];
  for await (const told of client.watch({ mount: 'm', path: '', afterRevision: 1 })) {
    seen.push(...told.events.map((one) => one.revision));
    if (seen.length === 2) {
      first.server.server.forceShutdown();
      vault.tell(batch(4));
    }
    if (seen.length === 3) break;
  }
  expect(seen).toEqual([2, 3, 4]);
});

test('a watch ends with its signal, also while it waits', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf(api);
  api.vault.tell(batch(1));
  const controller = new AbortController();
  const seen: WatchBatch[] = [];
  const request = { mount: 'm', path: '', afterRevision: 0 };
  for await (const told of client.watch(request, { signal: controller.signal })) {
    seen.push(told);
    setImmediate(() => controller.abort());
  }
  expect(seen).toHaveLength(1);
});

test('a watch that cannot be made good again fails with the code of the node', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf(api);
  api.vault.watch = () => {
    throw new StrongroomError('auth.permission-denied', 'Not for you');
  };
  const told = client.watch({ mount: 'm', path: '' })[Symbol.asyncIterator]().next();
  await expect(told).rejects.toMatchObject({ code: 'auth.permission-denied' });
});

test('a watch that no node ever answers ends with the reason, within its time', async () => {
  const down = await ApiFixture.start();
  await down[Symbol.asyncDispose]();
  await using client = await clientOf(down);
  const reasons: string[] = [];
  const onInterrupted = ({ code }: StrongroomError) => reasons.push(code);
  const request = { mount: 'm', path: '' };
  const told = client.watch(request, { timeoutMs: 300, onInterrupted })[Symbol.asyncIterator]();
  await expect(told.next()).rejects.toMatchObject({ code: 'client.unreachable' });
  expect(reasons).toEqual(['client.unreachable']);
});

test('a watch that has begun waits for a node longer than that, and says when it goes on', async () => {
  const vault = new FakeVault();
  const first = await ApiFixture.start({}, { vault });
  await using client = await clientOf(first);
  vault.tell(batch(1));
  vault.tell(batch(2));
  const life: string[] = [];
  const options = {
    timeoutMs: 1,
    onInterrupted: () => life.push('interrupted'),
    onResumed: () => life.push('resumed'),
  };
  const request = { mount: 'm', path: '', afterRevision: 1 };
  const told = client.watch(request, options)[Symbol.asyncIterator]();
  expect((await told.next()).value).toMatchObject({ revision: 2 });
  const next = told.next();
  await first[Symbol.asyncDispose]();
  await vi.waitFor(() => expect(life).toEqual(['interrupted']));
  await using _again = await ApiFixture.start({}, { vault, address: first.address });
  vault.tell(batch(3));
  expect((await next).value).toMatchObject({ revision: 3 });
  expect(life).toEqual(['interrupted', 'resumed']);
});

test('a snapshot comes and goes in chunks, byte for byte', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf(api);
  const chunks = Array.from({ length: 40 }, (_, i) => new Uint8Array(300_000).fill(i));
  api.snapshots.toSave = chunks;
  const saved: Uint8Array[] = [];
  for await (const chunk of client.saveSnapshot()) saved.push(chunk);
  expect(Buffer.concat(saved).equals(Buffer.concat(chunks))).toBe(true);

  api.vault.handlers.set('cluster.status', () => Promise.resolve({ payload: { revision: 1 } }));
  async function* again() {
    yield* chunks;
  }
  expect(await client.restoreSnapshot(again())).toBe(77);
  expect(Buffer.concat(api.snapshots.restored).equals(Buffer.concat(chunks))).toBe(true);
});

test('a restore that the node refuses stops sending and tells why', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf(api);
  api.vault.handlers.set('cluster.status', () => Promise.resolve({ payload: { revision: 1 } }));
  api.snapshots.restore = () =>
    Promise.reject(new StrongroomError('auth.permission-denied', 'Not for you'));
  let sent = 0;
  async function* endless() {
    for (;;) {
      sent++;
      yield new Uint8Array(100_000);
    }
  }
  await expect(client.restoreSnapshot(endless())).rejects.toMatchObject({
    code: 'auth.permission-denied',
  });
  expect(sent).toBeGreaterThan(0);
});
