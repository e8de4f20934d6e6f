import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StrongroomClient } from '../../src/client/index.ts';
import { hasCode } from '../../src/lib/index.ts';
import {
  decodeMessage,
  encodeMessage,
  type Input,
  type messages,
  methods,
} from '../../src/wire/index.ts';
import { eventually, TestCluster } from '../harness/cluster.ts';

const place = { mount: 'secret', path: 'team/db' };
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify({ value }));
const valueOf = (answer: { readonly data?: unknown }) =>
  (JSON.parse(new TextDecoder().decode(answer.data as Uint8Array)) as { value: unknown }).value;

describe('what operators do to a running cluster', { timeout: 60_000 }, () => {
  let cluster: TestCluster;
  let client: StrongroomClient;
  beforeAll(async () => {
    cluster = await TestCluster.start({ voters: 3, replicas: ['west'] });
    client = await cluster.client();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  test('a snapshot brings back what was there, and takes away what came later', async () => {
    await client.call('kv.put', { ...place, data: bytes('kept') });
    const late = { mount: 'secret', path: 'team/late' };
    const saved: Uint8Array[] = [];
    for await (const chunk of client.saveSnapshot()) saved.push(chunk);
    await client.call('kv.put', { ...place, data: bytes('overwritten') });
    await client.call('kv.put', { ...late, data: bytes('late') });
    const token = await client.call('token.create', { policies: ['default'], ttlMs: 60_000 });

    const revision = await client.restoreSnapshot(streamOf(saved));

    expect(revision).toBeGreaterThan(0);
    expect(valueOf(await client.call('kv.get', place))).toBe('kept');
    await expect(client.call('kv.get', late)).rejects.toMatchObject({ code: 'kv.not-found' });
    await expect(
      client.call('token.lookupSelf', {}, { token: String(token['token']) }),
    ).rejects.toMatchObject({ code: 'auth.permission-denied' });
    // The replica follows, and every node takes writes again.
    for (const node of cluster.nodes) {
      const address = node.ready.apiAddress;
      const put = await client.call('kv.put', { ...place, data: bytes(node.name) }, { address });
      const got = await client.call('kv.get', place, {
        address,
        consistency: { kind: 'at-least', revision: Number(put['revision']) },
      });
      expect(valueOf(got)).toBe(node.name);
    }
  });

  test('a retry is known again by whichever node it comes, and whether it is streamed or not', async () => {
    const request = { ...place, data: bytes('once') };
    const requestId = randomBytes(16);
    const { leader } = await client.call('cluster.status', {});
    const first = await client.call('kv.put', request, {
      address: cluster.node(Number(leader)).ready.apiAddress,
      requestId,
    });
    for (const node of cluster.nodes) {
      const address = node.ready.apiAddress;
      expect(await client.call('kv.put', request, { address, requestId })).toEqual(first);
      const ca = await readFile(cluster.caFile);
      const alone = await putAlone({ address, ca, token: cluster.rootToken, requestId, request });
      expect(alone.revision).toEqual(first.revision);
    }
  });

  test('a restored snapshot brings no token back that was revoked since, unless that is asked for', async () => {
    const made = async (more: Record<string, unknown> = {}) => {
      const answer = await client.call('token.create', { policies: ['default'], ...more });
      return String(answer['token']);
    };
    const alive = (token: string) =>
      client.call('token.lookupSelf', {}, { token }).then(
        () => true,
        (error: unknown) => {
          if (hasCode(error, 'auth.permission-denied')) return false;
          throw error;
        },
      );
    const stays = await made();
    const revoked = await made();
    const parent = await made({ policies: ['root'] });
    const child = String(
      (await client.call('token.create', { policies: ['default'] }, { token: parent }))['token'],
    );
    const limited = await made({ numUses: 5 });
    const saved: Uint8Array[] = [];
    for await (const chunk of client.saveSnapshot()) saved.push(chunk);
    await client.call('token.revokeSelf', {}, { token: revoked });
    await client.call('token.revokeSelf', {}, { token: parent });
    const late = await made({ policies: ['root'] });
    await expect(client.restoreSnapshot(streamOf(saved), { token: late })).rejects.toMatchObject({
      code: 'cluster.change-refused',
    });

    await client.restoreSnapshot(streamOf(saved));
    const after = async () =>
      await Promise.all([stays, revoked, parent, child, limited, late].map(alive));
    expect(await after()).toEqual([true, false, false, false, false, false]);

    await client.restoreSnapshot(streamOf(saved), { reviveTokens: true });
    expect(await after()).toEqual([true, true, true, true, true, false]);
  });

  test('a snapshot that was changed on its way is refused, and nothing with it', async () => {
    await client.call('kv.put', { ...place, data: bytes('stays') });
    const saved: Uint8Array[] = [];
    for await (const chunk of client.saveSnapshot()) saved.push(chunk);
    const whole = Buffer.concat(saved);
    const at = Math.floor(whole.length / 2);
    whole[at] = (whole[at] ?? 0) ^ 1;
    await expect(client.restoreSnapshot(streamOf([whole]))).rejects.toMatchObject({
      code: 'store.snapshot-invalid',
    });
    expect(valueOf(await client.call('kv.get', place))).toBe('stays');
  });

  test('the keyring rotates under writes without losing one, and every node goes on to the newest epoch', async () => {
    const before = await client.call('seal.status', {});
    const written = new Map<string, number>();
    const running = { yes: true };
    const writers = [0, 1, 2].map(async (id) => {
      for (let count = 0; running.yes; count++) {
        const path = `rotation/${id}/${count % 5}`;
        await client.call('kv.put', { mount: 'secret', path, data: bytes(count) });
        written.set(path, count);
      }
    });
    for (let round = 0; round < 3; round++) {
      await client.call('seal.rotateKeyring', {});
      const sizeBefore = [...written.values()].reduce((sum, one) => sum + one, 0);
      await eventually(
        () =>
          Promise.resolve([...written.values()].reduce((sum, one) => sum + one, 0) > sizeBefore),
        'writes go on after a rotation',
      );
    }
    running.yes = false;
    await Promise.all(writers);

    expect(written.size).toBe(15);
    for (const node of cluster.nodes) {
      const address = node.ready.apiAddress;
      await eventually(async () => {
        const status = await client.call('seal.status', {}, { address });
        return Number(status['keyringEpoch']) === Number(before['keyringEpoch']) + 3;
      }, `${node.name} seals under the newest epoch`);
      for (const [path, count] of written) {
        const got = await client.call('kv.get', { mount: 'secret', path }, { address });
        expect(valueOf(got)).toBe(count);
      }
    }
  });

  test('a seal by hand closes every node, outlives a restart of all, and is lifted by the token that set it', async () => {
    await client.call('kv.put', { ...place, data: bytes('behind the seal') });
    await client.call('seal.seal', {});
    const states = () =>
      Promise.all(
        cluster.nodes.map(async (node) => {
          const address = node.ready.apiAddress;
          const status = await client.call('seal.status', {}, { address });
          return `${String(status['state'])} ${String(status['manuallySealed'])}`;
        }),
      );
    const allSealed = async () => (await states()).every((state) => state === 'sealed true');
    await eventually(allSealed, 'every node is sealed');
    for (const node of cluster.nodes) {
      await expect(
        client.call('kv.get', place, { address: node.ready.apiAddress, timeoutMs: 500 }),
      ).rejects.toMatchObject({ code: 'seal.sealed' });
    }

    await Promise.all(cluster.nodes.map((node) => node.stop('SIGKILL')));
    await Promise.all(cluster.nodes.map((node) => node.start()));
    await eventually(allSealed, 'every node is sealed again');
    await expect(
      client.call('seal.unseal', { auto: true }, { token: 'srt.no-such-token' }),
    ).rejects.toMatchObject({ code: 'auth.permission-denied' });
    expect(await allSealed()).toBe(true);

    await eventually(async () => {
      await client.call('seal.unseal', { auto: true });
      return true;
    }, 'the seal is lifted');
    await eventually(
      async () => (await states()).every((state) => state === 'unsealed false'),
      'every node is unsealed',
    );
    expect(valueOf(await client.call('kv.get', place))).toBe('behind the seal');
  });
});

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

/** One unary call, as any gRPC client would make it: ours speaks through a stream. */
async function putAlone(of: {
  readonly address: string;
  readonly ca: Buffer;
  readonly token: string;
  readonly requestId: Buffer;
  readonly request: Input<messages.KvPutRequest>;
}) {
  const { path, request, response } = methods['kv.put'];
  const metadata = new Metadata();
  metadata.set('x-strongroom-token', of.token);
  metadata.set('x-strongroom-request-id', of.requestId.toString('hex'));
  const client = new Client(of.address, credentials.createSsl(of.ca));
  try {
    return await new Promise<messages.KvPutResponse>((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        (bytes: Buffer) => bytes,
        (bytes) => decodeMessage(response, bytes),
        Buffer.from(encodeMessage(request, of.request)),
        metadata,
        (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
      );
    });
  } finally {
    client.close();
  }
}
