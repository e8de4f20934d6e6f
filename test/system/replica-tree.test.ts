import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NodeProcess } from '../../chaos/grounds/processes/node-process.ts';
import type { StrongroomClient } from '../../src/client/index.ts';
import { eventually, TestCluster } from '../harness/cluster.ts';

const RELAY = 4;
const LEAVES = [5, 6];
const BOUND_MS = 4_000;
const place = { mount: 'secret', path: 'team/db' };
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify({ value }));

describe('the replicas of one region', { timeout: 120_000 }, () => {
  let cluster: TestCluster;
  let client: StrongroomClient;
  beforeAll(async () => {
    cluster = await TestCluster.start({
      voters: 3,
      replicas: ['west', 'west', 'west'],
      config: { replica: { stalenessMaxMs: BOUND_MS } },
    });
    client = await cluster.client();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  /** Writes, and reads it on `node` without asking anybody else for the value. */
  const reaches = async (node: NodeProcess, value: string) => {
    const put = await client.call('kv.put', { ...place, data: bytes(value) });
    const revision = Number(put['revision']);
    const got = await client.call('kv.get', place, {
      address: node.ready.apiAddress,
      consistency: { kind: 'at-least', revision },
    });
    expect(new TextDecoder().decode(got.data as Uint8Array)).toContain(value);
  };
  const boundedRead = (node: NodeProcess) =>
    client.call('kv.get', place, {
      address: node.ready.apiAddress,
      consistency: { kind: 'bounded', stalenessMs: 2_000 },
    });

  test('are fed by the first of them, and the voters feed only that one', async () => {
    for (const id of LEAVES) {
      await reaches(cluster.node(id), `by ${id}`);
      await boundedRead(cluster.node(id));
      expect(await sourcesOf(cluster.node(id))).toEqual([RELAY]);
    }
    for (const id of [1, 2, 3]) {
      expect(await cluster.node(id).log()).not.toMatch(/"replica":[56],.*Feeds a replica/);
    }
  });

  test('go on at once when the first is killed, and come back to it later', async () => {
    await cluster.node(RELAY).stop('SIGKILL');
    const startMs = performance.now();
    for (const id of LEAVES) await reaches(cluster.node(id), `after ${id}`);
    expect(performance.now() - startMs).toBeLessThan(BOUND_MS);
    for (const id of LEAVES) {
      await boundedRead(cluster.node(id));
      expect((await sourcesOf(cluster.node(id))).at(-1)).not.toBe(RELAY);
    }
    await cluster.node(RELAY).start();
    await eventually(async () => {
      const sources = await Promise.all(LEAVES.map((id) => sourcesOf(cluster.node(id))));
      return sources.every((all) => all.at(-1) === RELAY);
    }, 'both follow the first again');
    for (const id of LEAVES) await reaches(cluster.node(id), `again ${id}`);
  });

  test('leave the first when it stands still, before their own bound is over', async () => {
    await cluster.node(RELAY).signal('SIGSTOP');
    const startMs = performance.now();
    for (const id of LEAVES) await reaches(cluster.node(id), `past ${id}`);
    expect(performance.now() - startMs).toBeLessThan(2 * BOUND_MS);
    for (const id of LEAVES) await boundedRead(cluster.node(id));
    await cluster.node(RELAY).signal('SIGCONT');
  });
});

/** Whom a node has followed, in this order. */
async function sourcesOf(node: NodeProcess): Promise<readonly number[]> {
  const lines = (await node.log()).split('\n').filter((line) => line.includes('Follows a source'));
  return lines.map((line) => (JSON.parse(line) as { source: number }).source);
}
