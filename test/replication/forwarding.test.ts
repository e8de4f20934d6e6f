import { setMaxListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { TcpProxy } from '../../chaos/grounds/processes/tcp-proxy.ts';
import {
  type Cancellation,
  deferred,
  StrongroomError,
  systemClock,
  utf8Bytes,
  utf8Text,
} from '../../src/lib/index.ts';
import { ForwardClient, ForwardServer } from '../../src/replication/index.ts';
import { quietLogger } from '../../src/telemetry/index.ts';
import { identity, insecure, listen, node } from './harness.ts';

const never = new AbortController().signal;
setMaxListeners(0, never);

type Handle = (request: Uint8Array, signal: Cancellation) => Promise<Uint8Array>;

function serverOf(handle: Handle): ForwardServer {
  return new ForwardServer({
    self: identity(2),
    log: quietLogger,
    requirePeerCertificate: false,
    handle,
  });
}

function clientTo(port: number, self = identity(1)): ForwardClient {
  return new ForwardClient({
    self,
    credentials: () => insecure,
    clock: systemClock,
    log: quietLogger,
    addressOf: (id) => (id === 2 ? `127.0.0.1:${port}` : undefined),
  });
}

const send = async (client: ForwardClient, text: string, signal = never): Promise<string> =>
  utf8Text(await client.send(node(2), utf8Bytes(text), { signal }));

describe('forwarding', () => {
  it('answers many requests at once, in any order, each to its caller', async () => {
    const gates = new Map<string, () => void>();
    await using server = await listen([
      serverOf(async (request) => {
        const text = utf8Text(request);
        if (text.startsWith('late')) {
          await new Promise<void>((resolve) => gates.set(text, resolve));
        }
        if (text === 'last') for (const open of gates.values()) open();
        return utf8Bytes(`answer to ${text}`);
      }),
    ]);
    await using client = clientTo(server.port);
    const late = Array.from({ length: 300 }, (_, i) => send(client, `late ${i}`));
    expect(await send(client, 'quick')).toBe('answer to quick');
    expect(await send(client, 'last')).toBe('answer to last');
    expect(await Promise.all(late)).toEqual(late.map((_, i) => `answer to late ${i}`));
  });

  it('carries failures with their code, and keeps what has no code to itself', async () => {
    await using server = await listen([
      serverOf(async (request) => {
        if (utf8Text(request) === 'coded') {
          throw new StrongroomError('raft.not-leader', 'Node 2 is not the leader');
        }
        throw new Error('the secret is x');
      }),
    ]);
    await using client = clientTo(server.port);
    await expect(send(client, 'coded')).rejects.toMatchObject({
      code: 'raft.not-leader',
      message: 'Node 2 is not the leader',
    });
    const bug = await send(client, 'bug').catch((error: unknown) => error);
    expect(bug).toMatchObject({ code: 'node.internal' });
    expect(String(bug)).not.toContain('secret');
  });

  it('says that the outcome is unknown when the connection is lost after sending', async () => {
    const arrived = deferred<void>();
    await using server = await listen([
      serverOf(() => {
        arrived.resolve();
        return new Promise(() => undefined);
      }),
    ]);
    await using proxy = await TcpProxy.listen(server);
    await using client = clientTo(proxy.port);
    const lost = send(client, 'write').catch((error: unknown) => error);
    await arrived.promise;
    proxy.set({ kind: 'cut' });
    expect(await lost).toMatchObject({ code: 'replication.outcome-unknown' });
    await expect(send(client, 'again')).rejects.toMatchObject({ code: 'replication.unreachable' });
  });

  it('notices a peer that is silently cut off', async () => {
    const arrived = deferred<void>();
    await using server = await listen([
      serverOf(() => {
        arrived.resolve();
        return new Promise(() => undefined);
      }),
    ]);
    await using proxy = await TcpProxy.listen(server);
    await using client = clientTo(proxy.port);
    const lost = send(client, 'write').catch((error: unknown) => error);
    await arrived.promise;
    proxy.set({ kind: 'stall' });
    expect(await lost).toMatchObject({ code: 'replication.outcome-unknown' });
  }, 15_000);

  it('does not lose a peer because either was busy for more than a second', async () => {
    const arrived = deferred<void>();
    const gate = deferred<void>();
    await using server = await listen([
      serverOf(async (request) => {
        arrived.resolve();
        await gate.promise;
        return request;
      }),
    ]);
    await using client = clientTo(server.port);
    const answer = send(client, 'write');
    await arrived.promise;
    // In the first stall the next ping falls due; the second begins right after it was sent.
    for (let stall = 0; stall < 2; stall++) {
      const until = performance.now() + 1_300;
      while (performance.now() < until);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    gate.resolve();
    expect(await answer).toBe('write');
  });

  it('connects again once the other side is back', async () => {
    await using server = await listen([serverOf(async (request) => request)]);
    await using proxy = await TcpProxy.listen(server);
    await using client = clientTo(proxy.port);
    expect(await send(client, 'before')).toBe('before');
    proxy.set({ kind: 'cut' });
    await expect(send(client, 'during')).rejects.toBeInstanceOf(StrongroomError);
    proxy.set({ kind: 'pass' });
    await expect.poll(() => send(client, 'after').catch(() => ''), { timeout: 5000 }).toBe('after');
  });

  it('says it was certainly not executed when nothing listens or the node is not known', async () => {
    await using client = clientTo(1);
    await expect(send(client, 'x')).rejects.toMatchObject({ code: 'replication.unreachable' });
    await expect(client.send(node(9), utf8Bytes('x'), { signal: never })).rejects.toMatchObject({
      code: 'replication.unreachable',
    });
  });

  it('refuses a stranger before it reads a request', async () => {
    let handled = 0;
    await using server = await listen([
      serverOf(async (request) => {
        handled++;
        return request;
      }),
    ]);
    const stranger = { ...identity(1), clusterId: 'f'.repeat(32) };
    await using client = clientTo(server.port, stranger);
    await expect(send(client, 'x')).rejects.toMatchObject({ code: 'replication.unreachable' });
    expect(handled).toBe(0);
  });

  it('tells the other side when the caller gives up', async () => {
    const cancelled = deferred<unknown>();
    const arrived = deferred<void>();
    await using server = await listen([
      serverOf((_, signal) => {
        arrived.resolve();
        signal.addEventListener('abort', () => cancelled.resolve(signal.reason));
        return new Promise(() => undefined);
      }),
    ]);
    await using client = clientTo(server.port);
    const giveUp = new AbortController();
    const answer = send(client, 'x', giveUp.signal).catch((error: unknown) => error);
    await arrived.promise;
    giveUp.abort(new Error('enough'));
    expect(await answer).toMatchObject({ message: 'enough' });
    expect(await cancelled.promise).toMatchObject({ code: 'request.cancelled' });
  });
});
