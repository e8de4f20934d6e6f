import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type SignedHead, verifyAuditFile } from '../../src/audit/index.ts';
import type { StrongroomClient } from '../../src/client/index.ts';
import { eventually, TestCluster } from '../harness/cluster.ts';

const data = new TextEncoder().encode('{"value":"there"}');

/** What the cluster has of node 1, as `audit verify --node 1` uses it. */
async function committed(client: StrongroomClient, clusterId: string) {
  const answer = await client.call('audit.heads', { node: 1 });
  const heads = answer.heads.map(
    (head): SignedHead => ({ ...head, clusterId, hash: head.head }) as unknown as SignedHead,
  );
  return { heads, publicKey: answer.keys[0]?.publicKey as Uint8Array };
}

describe('the heads of an audit chain', { timeout: 60_000 }, () => {
  test('are committed when a node stops, and a chain that was cut cannot replace them', async () => {
    await using cluster = await TestCluster.start({ voters: 1 });
    const node = cluster.node(1);
    const { clusterId } = node.ready;
    const client = await cluster.client();
    for (let i = 0; i < 20; i++) {
      await client.call('kv.put', { mount: 'secret', path: `item/${i}`, data });
    }
    await node.stop();
    await node.start();
    const file = join(node.dataDir, 'audit.log');
    // A node that has no leader yet says what it knows of heads, and cannot have one committed.
    const writes = () =>
      eventually(
        async () =>
          (await client.call('kv.put', { mount: 'secret', path: 'a', data })).revision > 0,
        'it takes writes',
      );
    await writes();
    const known = await committed(client, clusterId);
    const newest = Math.max(...known.heads.map((head) => head.sequence));
    expect(newest).toBeGreaterThan(40);
    expect(await verifyAuditFile(file, known)).toMatchObject({ isIntact: true, problemCount: 0 });

    await node.stop();
    const lines = (await readFile(file, 'utf8')).split('\n');
    await writeFile(file, `${lines.slice(0, 4).join('\n')}\n`);
    await node.start();
    await writes();
    // It asks at its end, too, and is refused.
    await node.stop();
    expect(await node.log()).toContain('audit.head-refused');
    await node.start();
    await writes();
    const after = await committed(client, clusterId);
    expect(Math.max(...after.heads.map((head) => head.sequence))).toBeGreaterThanOrEqual(newest);
    const verdict = await verifyAuditFile(file, after);
    expect(verdict.problems).toContainEqual(expect.objectContaining({ kind: 'cut' }));
  });
});
