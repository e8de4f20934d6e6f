import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { ChannelCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NodeProcess } from '../../chaos/grounds/processes/node-process.ts';
import type { StrongroomClient } from '../../src/client/index.ts';
import { PEER_PROTOCOL_VERSION } from '../../src/raft/index.ts';
import { forwardMethod, openStream } from '../../src/replication/peer-channel.ts';
import { eventually, TestCluster } from '../harness/cluster.ts';

const place = { mount: 'secret', path: 'team/db' };
const data = new TextEncoder().encode('{"value":"there"}');

describe('who may take part', { timeout: 60_000 }, () => {
  let cluster: TestCluster;
  let client: StrongroomClient;
  const tokenFor = async (kind: 'voter' | 'replica', ttlMs: number) => {
    const answer = await client.call('cluster.createJoinToken', { kind, region: 'local', ttlMs });
    return String(answer['joinToken']);
  };
  beforeAll(async () => {
    cluster = await TestCluster.start({ voters: 3 });
    client = await cluster.client();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  test('a join token lets one node in, and no second one', async () => {
    const token = await tokenFor('replica', 60_000);
    const replica = await cluster.join({ token, kind: 'replica' });
    expect(replica.ready.node).toBe(4);
    await expect(cluster.join({ token, kind: 'replica' })).rejects.toThrow(
      /cluster\.join-refused.*it was used by another node already/,
    );
  });

  test('a join token that has expired, or that nobody made, lets no node in', async () => {
    const token = await tokenFor('voter', 1_000);
    const madeAt = performance.now();
    await eventually(() => Promise.resolve(performance.now() > madeAt + 1_001), 'it has expired');
    await expect(cluster.join({ token })).rejects.toThrow(/cluster\.join-refused.*it expired at/);
    // One character of its secret is another.
    const good = await tokenFor('voter', 60_000);
    const forged = `${good.slice(0, -4)}${good.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`;
    await expect(cluster.join({ token: forged })).rejects.toThrow(/cluster\.join-refused/);
  });

  test('a node speaks to another under its own certificate only', async () => {
    const to = cluster.node(1);
    expect(await greet({ as: cluster.node(2), from: 2, to })).toBe('accepted');
    expect(await greet({ as: cluster.node(2), from: 3, to })).toMatch(/does not carry the name/);
  });

  test('a node of another cluster is refused by its certificate', async () => {
    await using other = await TestCluster.start({ voters: 1 });
    const stranger = other.node(1);
    const to = cluster.node(1);
    // Even with this cluster's id in its greeting, and this cluster's CA to trust.
    const refusal = await greet({ as: stranger, from: 2, to, caOf: cluster.node(1) });
    expect(refusal).not.toBe('accepted');
    expect(await greet({ as: cluster.node(2), from: 2, to })).toBe('accepted');
  });

  test('a removed node is served by none, though its certificate is still good', async () => {
    const removed = cluster.node(4);
    const put = await client.call('kv.put', { ...place, data });
    await client.call('kv.get', place, {
      address: removed.ready.apiAddress,
      consistency: { kind: 'at-least', revision: Number(put['revision']) },
    });
    await client.call('cluster.remove', { node: 4 });
    for (const id of [1, 2, 3]) {
      await eventually(
        async () => (await greet({ as: removed, from: 4, to: cluster.node(id) })) !== 'accepted',
        `node ${id} refuses node 4`,
      );
      expect(await greet({ as: removed, from: 4, to: cluster.node(id) })).toMatch(/no member/);
    }
    // Its feed ends as well: what is written now does not reach it.
    const behind: unknown = expect.stringMatching(/^(?:replication|request|client)\./);
    const later = await client.call('kv.put', { ...place, data });
    await expect(
      client.call('kv.get', place, {
        address: removed.ready.apiAddress,
        consistency: { kind: 'at-least', revision: Number(later['revision']) },
        timeoutMs: 2_000,
      }),
    ).rejects.toMatchObject({ code: behind });
  });

  test('a removed voter ends by itself and stays out when it is started again', async () => {
    const removed = cluster.node(3);
    await client.call('cluster.remove', { node: 3 });
    await eventually(() => Promise.resolve(!removed.running), 'the removed voter ends');
    await removed.start().catch(() => undefined);
    await eventually(() => Promise.resolve(!removed.running), 'it ends again');
    const status = await client.call('cluster.status', {});
    const members = status['members'] as readonly { readonly node: number }[];
    expect(members.map((member) => member.node)).toEqual([1, 2]);
    await client.call('kv.put', { ...place, data });
  });
});

/** Opens a peer stream with the certificate of `as`. @returns "accepted", or why it was not. */
async function greet(options: {
  readonly as: NodeProcess;
  readonly from: number;
  readonly to: NodeProcess;
  readonly caOf?: NodeProcess;
}): Promise<string> {
  const { as, from, to, caOf = as } = options;
  const pem = await readFile(join(as.dataDir, 'tls', 'node.pem'), 'utf8');
  const ca = await readFile(join(caOf.dataDir, 'tls', 'ca.pem'), 'utf8');
  const credentials = ChannelCredentials.createFromSecureContext(
    createSecureContext({ cert: pem, key: pem, ca, minVersion: 'TLSv1.3' }),
  );
  const { client, stream } = openStream(to.ready.peerAddress, credentials, forwardMethod);
  try {
    return await new Promise<string>((resolve) => {
      stream.on('data', () => resolve('accepted'));
      stream.on('error', (error: Error) => resolve(error.message));
      stream.on('end', () => resolve('ended without a word'));
      const { clusterId } = to.ready;
      const hello = {
        clusterId,
        from,
        to: to.ready.node,
        incarnation: 1_000_000,
        protocolVersion: PEER_PROTOCOL_VERSION,
      };
      stream.write({ hello });
    });
  } finally {
    stream.cancel();
    client.close();
  }
}
