import { rootCertificates } from 'node:tls';
import { expect, test } from 'vitest';
import { type ClientOptions, connect, type StrongroomClient } from '../../src/client/index.ts';
import { type Cancellation, deferred, StrongroomError, utf8Bytes } from '../../src/lib/index.ts';
import type { VaultRequest } from '../../src/vault/index.ts';
import { FakeVault } from '../api/fake-vault.ts';
import { ApiFixture } from '../api/fixture.ts';

const secret = { mount: 'secret', path: 'team/db', data: utf8Bytes('{"a":"b"}') };

function clientOf(
  fixtures: readonly ApiFixture[],
  more: Partial<ClientOptions> = {},
): Promise<StrongroomClient> {
  const addresses = fixtures.map((fixture) => fixture.address);
  const ca = fixtures[0]?.identity.ca;
  return connect({ addresses, ca, token: 't', timeoutMs: 8_000, ...more });
}

const members = (...fixtures: readonly (readonly [ApiFixture, string, string])[]) => ({
  payload: {
    revision: 1,
    members: fixtures.map(([fixture, role, region], at) => ({
      node: at + 1,
      role,
      region,
      apiAddress: fixture.address,
    })),
  },
});

test('puts and gets with types, over TLS to an address that is an IP', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf([api], { namespace: 'team' });
  const made = await client.call('kv.put', secret);
  expect(made.version?.version).toBe(1);
  const got = await client.call('kv.get', { mount: 'secret', path: 'team/db' });
  expect(Buffer.from(got.data ?? []).toString()).toBe('{"a":"b"}');
  expect(client.revision).toBe(1);
  expect(api.vault.requests[0]).toMatchObject({ token: 't', namespace: 'team' });
  expect(await client.kv.put('other', { k: 1 })).toEqual({ version: 1, revision: 2 });
  expect((await client.kv.get('other')).data).toEqual({ k: 1 });
});

test('many calls at once share frames and are all answered', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf([api]);
  const puts = Array.from({ length: 3_000 }, (_, i) =>
    client.call('kv.put', { ...secret, path: `p${i}` }),
  );
  const answers = await Promise.all(puts);
  expect(new Set(answers.map((answer) => answer.revision)).size).toBe(3_000);
});

test('a failure has the code and details it had at the node, and is not tried again', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf([api]);
  const failing = client.call('kv.put', { ...secret, cas: 9 });
  await expect(failing).rejects.toMatchObject({
    name: 'StrongroomError',
    code: 'kv.check-and-set-mismatch',
    details: { current: '0' },
  });
  expect(api.vault.requests).toHaveLength(1);
});

test('a node whose certificate is from another authority is not talked to', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf([api], {
    ca: rootCertificates[0],
    timeoutMs: 500,
  });
  await expect(client.call('kv.put', secret)).rejects.toMatchObject({
    code: 'client.unreachable',
    message: expect.stringContaining('not of the CA that is trusted'),
    details: { isSent: false },
  });
  expect(api.vault.requests).toHaveLength(0);
});

test('a certificate for another host is refused, though the authority is right', async () => {
  await using api = await ApiFixture.start({}, { address: '127.0.0.2:0' });
  await using client = await clientOf([api], { timeoutMs: 500 });
  await expect(client.call('kv.put', secret)).rejects.toMatchObject({
    code: 'client.unreachable',
    message: expect.stringContaining('for another address'),
  });
  expect(api.vault.requests).toHaveLength(0);
});

test('plain text is spoken only where it was asked for', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf([api], { insecurePlaintext: true, timeoutMs: 500 });
  await expect(client.call('kv.put', secret)).rejects.toBeInstanceOf(StrongroomError);
  expect(api.vault.requests).toHaveLength(0);
});

test.each(['', 'host', 'host:', ':80', 'ftp://host:1', 'host:1/path', 'a b:1', '[::1'])(
  'the address "%s" is refused by name',
  async (address) => {
    await expect(connect({ addresses: [address] })).rejects.toMatchObject({
      code: 'request.invalid',
    });
  },
);

test('a write whose node dies before it answers is made once, at another node', async () => {
  const vault = new FakeVault();
  const first = await ApiFixture.start({}, { vault });
  await using second = await ApiFixture.start({}, { vault });
  await using client = await clientOf([first, second]);
  const put = vault.handlers.get('kv.put');
  const applied = deferred<void>();
  const requests: VaultRequest[] = [];
  vault.handlers.set('kv.put', async (request) => {
    requests.push(request);
    const answer = await put?.(request);
    if (requests.length > 1) return answer ?? { payload: {} };
    applied.resolve();
    // The first node has made the write and never tells.
    return new Promise(() => {});
  });
  const answer = client.call('kv.put', secret);
  await applied.promise;
  first.server.server.forceShutdown();
  expect(await answer).toMatchObject({ revision: 1, version: { version: 1 } });
  expect(requests).toHaveLength(2);
  expect(requests[1]?.requestId).toEqual(requests[0]?.requestId);
  expect(requests[1]?.correlationId).toBe(requests[0]?.correlationId);
  expect(vault.revision).toBe(1);
});

test('an unseal whose node dies is not sent to another: a share counts once', async () => {
  const vault = new FakeVault();
  const first = await ApiFixture.start({}, { vault });
  await using second = await ApiFixture.start({}, { vault });
  await using client = await clientOf([first, second]);
  const arrived = deferred<void>();
  vault.handlers.set('seal.unseal', () => {
    arrived.resolve();
    return new Promise(() => {});
  });
  const answer = client.call('seal.unseal', { share: 's' });
  await arrived.promise;
  first.server.server.forceShutdown();
  await expect(answer).rejects.toMatchObject({
    code: 'client.unreachable',
    details: { isSent: true },
  });
  expect(vault.requests).toHaveLength(1);
});

test('a node that is down is passed over at once', async () => {
  const down = await ApiFixture.start();
  await down[Symbol.asyncDispose]();
  await using up = await ApiFixture.start();
  await using client = await clientOf([down, up]);
  const startedAt = performance.now();
  await client.call('kv.put', secret);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test('a cluster between leaders is asked again until it has one', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf([api]);
  let asked = 0;
  const put = api.vault.handlers.get('kv.put');
  api.vault.handlers.set('kv.put', async (request) => {
    if (++asked < 4) throw new StrongroomError('raft.no-leader', 'An election is under way');
    return (await put?.(request)) ?? { payload: {} };
  });
  expect(await client.call('kv.put', secret)).toMatchObject({ revision: 1 });
  expect(asked).toBe(4);
});

test('a call of one attempt tells at once what a call of many would wait out', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf([api]);
  api.vault.handlers.set('kv.put', () =>
    Promise.reject(new StrongroomError('raft.no-leader', 'An election is under way')),
  );
  await expect(client.call('kv.put', secret, { attemptsMax: 1 })).rejects.toMatchObject({
    code: 'raft.no-leader',
  });
  expect(api.vault.requests).toHaveLength(1);
});

test('giving up names what stood in the way', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf([api]);
  // Connected before the time runs, which a busy machine may take long for.
  await client.call('kv.put', secret);
  api.vault.handlers.set('kv.put', () =>
    Promise.reject(new StrongroomError('raft.no-leader', 'An election is under way')),
  );
  const failing = client.call('kv.put', secret, { timeoutMs: 300 });
  await expect(failing).rejects.toMatchObject({ code: 'raft.no-leader' });
});

test('a call off ends the call here and there', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf([api]);
  const arrived = deferred<Cancellation>();
  api.vault.handlers.set('kv.get', ({ signal }) => {
    arrived.resolve(signal);
    return new Promise(() => {});
  });
  const controller = new AbortController();
  const answer = client.call('kv.get', { path: 'x' }, { signal: controller.signal });
  const signal = await arrived.promise;
  const aborted = new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined));
  });
  controller.abort();
  await expect(answer).rejects.toMatchObject({ code: 'request.cancelled' });
  await aborted;
});

test('time that runs out is told as such', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf([api]);
  api.vault.handlers.set('kv.get', () => new Promise(() => {}));
  await expect(client.call('kv.get', { path: 'x' }, { timeoutMs: 100 })).rejects.toMatchObject({
    code: 'request.deadline-exceeded',
  });
});

test('reads that may be stale go to the own region and still see what this client wrote', async () => {
  await using leader = await ApiFixture.start();
  await using near = await ApiFixture.start();
  for (const api of [leader, near])
    api.vault.handlers.set('cluster.status', () =>
      Promise.resolve(members([leader, 'leader', 'eu'], [near, 'replica', 'us'])),
    );
  near.vault.handlers.set('kv.get', () => Promise.resolve({ payload: { revision: 0 } }));
  await using client = await clientOf([leader], { region: 'us' });
  await client.call('kv.get', { path: 'x' }, { consistency: { kind: 'eventual' } });
  expect(near.vault.requests.at(-1)?.operation).toBe('kv.get');
  near.vault.handlers.set('kv.get', () => Promise.resolve({ payload: { revision: 2 } }));
  await client.call('kv.put', { ...secret, path: 'a' });
  await client.call('kv.put', { ...secret, path: 'b' });
  expect(leader.vault.requests.at(-1)?.operation).toBe('kv.put');
  await client.call('kv.get', { path: 'x' }, { consistency: { kind: 'eventual' } });
  expect(near.vault.requests.at(-1)).toMatchObject({
    operation: 'kv.get',
    consistency: { kind: 'at-least', revision: 2 },
  });
});

test('a call can be aimed at one node', async () => {
  await using one = await ApiFixture.start();
  await using other = await ApiFixture.start();
  await using client = await clientOf([one, other]);
  await client.call('kv.put', secret, { address: other.address });
  await client.call('kv.put', secret, { address: one.address });
  expect([one.vault.requests.length, other.vault.requests.length]).toEqual([1, 1]);
});

test('a closed client refuses calls and fails those that wait', async () => {
  await using api = await ApiFixture.start();
  const client = await clientOf([api]);
  const arrived = deferred<void>();
  api.vault.handlers.set('kv.get', () => {
    arrived.resolve();
    return new Promise(() => {});
  });
  const waiting = client.call('kv.get', { path: 'x' });
  waiting.catch(() => {});
  await arrived.promise;
  await client.close();
  await expect(waiting).rejects.toMatchObject({ code: 'client.unreachable' });
  await expect(client.call('kv.put', secret)).rejects.toMatchObject({ code: 'client.unreachable' });
});

test('a request too large for a message is refused before it is sent', async () => {
  await using api = await ApiFixture.start();
  await using client = await clientOf([api]);
  const data = new Uint8Array(5 * 1024 * 1024);
  await expect(client.call('kv.put', { ...secret, data })).rejects.toMatchObject({
    code: 'request.too-large',
  });
  await expect(client.call('kv.put', secret)).resolves.toBeDefined();
});
