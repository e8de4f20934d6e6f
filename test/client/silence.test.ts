import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Server as GrpcServer } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { Tls13Credentials } from '../../src/api/index.ts';
import { connect } from '../../src/client/index.ts';
import { type Clock, deferred, StrongroomError, utf8Bytes } from '../../src/lib/index.ts';
import { ApiFixture, sharedIdentity } from '../api/fixture.ts';
import { LosingWay } from '../harness/losing-way.ts';

const secret = { mount: 'secret', path: 'team/db', data: utf8Bytes('{"a":"b"}') };

/** A clock on which everything happens ten times as fast: what is measured is the order. */
const quick: Clock = {
  monotonicMs: () => performance.now() * 10,
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs / 10);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** What takes connections and never says anything. */
async function standingStill() {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.on('error', () => {})));
  const connected = once(server, 'connection');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** What it has taken stays. */
    async stopListening() {
      await connected;
      server.close();
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('a client', () => {
  // Connections that a process which stands still took, or a way that is cut, are never refused.
  test('makes a new connection to a node where an attempt got no answer', async () => {
    using still = await standingStill();
    const { ca } = await sharedIdentity();
    await using client = await connect({ addresses: [still.address], ca, token: 't' });
    const put = client.call('kv.put', secret, { timeoutMs: 20_000, address: still.address });
    await still.stopListening();
    // The attempt under way is left as it is: nobody tells the client that it is in vain.
    await using api = await ApiFixture.start({}, { address: still.address });
    expect(await put).toMatchObject({ revision: 1 });
    expect(api.vault.requests).toHaveLength(1);
  }, 15_000);

  test('asks one named node again by another connection when the first is dead and does not say', async () => {
    await using api = await ApiFixture.start();
    using way = await LosingWay.to(api.address);
    const { ca } = await sharedIdentity();
    await using client = await connect({ addresses: [way.address], ca, token: 't' });
    await client.call('kv.put', secret);
    way.silence();
    const startedAt = performance.now();
    await client.call('kv.get', secret, { address: way.address, timeoutMs: 30_000 });
    expect(performance.now() - startedAt).toBeLessThan(14_000);
  }, 25_000);

  test('leaves a pipeline on which nothing comes any more, not even an answer to a call off', async () => {
    const identity = await sharedIdentity();
    const opened: unknown[] = [];
    const server = new GrpcServer();
    // As a node whose process lives and whose pipelines are dead: pings are answered, calls are not.
    const path = '/strongroom.v1.PipelineService/Open';
    const asItIs = (bytes: Buffer) => bytes;
    server.addService(
      {
        Open: {
          path,
          requestStream: true,
          responseStream: true,
          requestSerialize: asItIs,
          requestDeserialize: asItIs,
          responseSerialize: asItIs,
          responseDeserialize: asItIs,
        },
      },
      {
        Open: (call: { on(event: string, listener: () => void): void }) => {
          call.on('data', () => {});
          call.on('error', () => {});
          opened.push(call);
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', new Tls13Credentials(identity), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    await using client = await connect({
      addresses: [`127.0.0.1:${port}`],
      ca: identity.ca,
      token: 't',
      clock: quick,
    });
    const call = client.call('kv.get', { path: 'x' }, { timeoutMs: 20_000 });
    await expect(call).rejects.toMatchObject({ code: 'request.deadline-exceeded' });
    expect(opened.length).toBeGreaterThan(1);
    server.forceShutdown();
  });

  test('keeps a pipeline whose node answers what was called off, however slow the call was', async () => {
    await using api = await ApiFixture.start();
    const { ca } = await sharedIdentity();
    await using client = await connect({ addresses: [api.address], ca, token: 't', clock: quick });
    api.vault.handlers.set('kv.get', () => new Promise(() => {}));
    const ended = deferred<void>();
    const init = deferred<void>();
    api.vault.handlers.set('seal.init', async () => {
      init.resolve();
      await ended.promise;
      return { payload: { rootToken: 'r' } };
    });
    const long = client.call('seal.init', {}, { timeoutMs: 60_000 });
    await init.promise;
    const slow = client.call('kv.get', { path: 'x' }, { timeoutMs: 15_000 });
    await expect(slow).rejects.toMatchObject({ code: 'request.deadline-exceeded' });
    ended.resolve();
    expect(await long).toMatchObject({ rootToken: 'r' });
  });

  test('waits no longer for a connection than the caller has patience, and no longer than it is wanted', async () => {
    using still = await standingStill();
    await using client = await connect({ addresses: [still.address], token: 't' });
    const patient = client.call('kv.put', secret, { timeoutMs: 2_500, attemptsMax: 1 });
    patient.catch(() => {});
    const startedAt = performance.now();
    const hasty = client.call('kv.put', secret, { timeoutMs: 200 });
    await expect(hasty).rejects.toMatchObject({ code: 'client.unreachable' });
    const { signal, abort } = abortable();
    const unwanted = client.call('kv.put', secret, { signal });
    abort();
    await expect(unwanted).rejects.toMatchObject({ code: 'request.cancelled' });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  test('does not give a stale read more time than it has because it asks first who is near', async () => {
    using still = await standingStill();
    await using client = await connect({ addresses: [still.address], token: 't', region: 'eu' });
    const startedAt = performance.now();
    const options = { consistency: { kind: 'eventual' }, timeoutMs: 400 } as const;
    await expect(client.call('kv.get', secret, options)).rejects.toBeInstanceOf(StrongroomError);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  test('tells what stood in the way before time ran out', async () => {
    await using api = await ApiFixture.start();
    const { ca } = await sharedIdentity();
    await using client = await connect({ addresses: [api.address], ca, token: 't' });
    await client.call('kv.put', secret);
    let asked = 0;
    api.vault.handlers.set('kv.get', () => {
      if (++asked > 1) return new Promise(() => {});
      return Promise.reject(new StrongroomError('replication.behind', 'It has revision 7'));
    });
    const late = client.call('kv.get', { path: 'x' }, { timeoutMs: 500 });
    await expect(late).rejects.toMatchObject({
      code: 'request.deadline-exceeded',
      message: expect.stringContaining('It has revision 7'),
    });
  });

  test('goes on after its cluster was set up anew with fewer revisions, unless the caller named one', async () => {
    await using api = await ApiFixture.start();
    const { ca } = await sharedIdentity();
    await using client = await connect({ addresses: [api.address], ca, token: 't' });
    for (const path of ['a', 'b', 'c']) await client.call('kv.put', { ...secret, path });
    api.vault.handlers.set('kv.get', ({ consistency }) => {
      if (consistency?.kind !== 'at-least' || consistency.revision <= 1)
        return Promise.resolve({ payload: { revision: 1 } });
      throw new StrongroomError('replication.unknown-revision', 'Never made', {
        details: { revision: 1 },
      });
    });
    const eventual = { consistency: { kind: 'eventual' } } as const;
    await expect(client.call('kv.get', { path: 'a' }, eventual)).resolves.toBeDefined();
    expect(client.revision).toBe(1);
    const named = { consistency: { kind: 'at-least', revision: 3 } } as const;
    await expect(client.call('kv.get', { path: 'a' }, named)).rejects.toMatchObject({
      code: 'replication.unknown-revision',
    });
  });
});

function abortable() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
