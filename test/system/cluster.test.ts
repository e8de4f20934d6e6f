import { describe, expect, test } from 'vitest';
import { eventually, TestCluster } from '../harness/cluster.ts';

const secret = (value: string) => new TextEncoder().encode(JSON.stringify({ value }));
const text = (answer: Readonly<Record<string, unknown>>) =>
  new TextDecoder().decode(answer['data'] as Uint8Array);

describe('a cluster of three voters and a replica', { timeout: 120_000 }, () => {
  test('keeps acknowledged secrets through the loss of the leader, and through a restart of all', async () => {
    await using cluster = await TestCluster.start({ voters: 3, replicas: ['west'] });
    const client = await cluster.client();
    const put = await client.call('kv.put', {
      mount: 'secret',
      path: 'team/db',
      data: secret('before'),
    });
    const revision = Number(put['revision']);

    const replica = await cluster.client({ addresses: [cluster.node(4).ready.apiAddress] });
    const onReplica = await replica.call(
      'kv.get',
      { mount: 'secret', path: 'team/db' },
      { consistency: { kind: 'at-least', revision } },
    );
    expect(text(onReplica)).toBe('{"value":"before"}');

    const status = await client.call('cluster.status', {});
    const leader = Number(status['leader']);
    await cluster.node(leader).stop('SIGKILL');
    await client.call('kv.put', { mount: 'secret', path: 'team/db', data: secret('after') });
    expect(text(await client.call('kv.get', { mount: 'secret', path: 'team/db' }))).toBe(
      '{"value":"after"}',
    );

    await Promise.all(cluster.nodes.map((node) => node.stop('SIGKILL')));
    await Promise.all(cluster.nodes.map((node) => node.start()));
    const again = await cluster.client();
    await eventually(async () => {
      const answer = await again.call('kv.get', { mount: 'secret', path: 'team/db' });
      return text(answer) === '{"value":"after"}';
    }, 'the secret after a restart of all nodes');
  });

  test('SIGTERM hands leadership over and ends with exit code 0', async () => {
    await using cluster = await TestCluster.start({ voters: 3 });
    const client = await cluster.client();
    const before = Number((await client.call('cluster.status', {}))['leader']);
    expect(await cluster.node(before).stop('SIGTERM')).toBe(0);
    const others = await cluster.client({
      addresses: cluster.nodes.filter((node) => node.running).map((node) => node.ready.apiAddress),
    });
    const after = Number((await others.call('cluster.status', {}))['leader']);
    expect(after).not.toBe(before);
    expect(after).toBeGreaterThan(0);
  });
});
