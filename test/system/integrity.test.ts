import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NodeProcess } from '../../chaos/grounds/processes/node-process.ts';
import type { StrongroomClient } from '../../src/client/index.ts';
import { decodeData, encodeData } from '../../src/store/codec/records.ts';
import { eventually, TestCluster } from '../harness/cluster.ts';

const LOG_KEEP_BYTES = 256 * 1024;
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify({ value }));
const valueOf = (answer: { readonly data?: unknown }) =>
  (JSON.parse(new TextDecoder().decode(answer.data as Uint8Array)) as { value: unknown }).value;

describe('a node whose state is not what it should be', { timeout: 120_000 }, () => {
  let cluster: TestCluster;
  let client: StrongroomClient;
  beforeEach(async () => {
    cluster = await TestCluster.start({
      voters: 3,
      replicas: ['west'],
      config: {
        raft: { logKeepBytes: LOG_KEEP_BYTES },
        integrity: { compareEveryMs: 200, verifyEveryMs: 500 },
      },
    });
    client = await cluster.client();
  });
  afterEach(() => cluster[Symbol.asyncDispose]());

  const write = async (from: number, count: number, size: number) => {
    for (let i = from; i < from + count; i++) {
      const data = bytes(`${i} ${'x'.repeat(size)}`);
      await client.call('kv.put', { mount: 'secret', path: `item/${i}`, data });
    }
  };
  const servesAll = async (node: NodeProcess, count: number) => {
    const address = node.ready.apiAddress;
    const put = await client.call('kv.put', { mount: 'secret', path: 'mark', data: bytes(1) });
    for (let i = 0; i < count; i++) {
      const got = await client.call(
        'kv.get',
        { mount: 'secret', path: `item/${i}` },
        { address, consistency: { kind: 'at-least', revision: Number(put['revision']) } },
      );
      expect(String(valueOf(got))).toMatch(new RegExp(`^${i} `));
    }
  };
  const healthy = async () => {
    const { members } = await client.call('cluster.status', {}, { timeoutMs: 3_000 });
    const ill = members.filter((one) => !one.healthy);
    if (ill.length > 0) throw new Error(ill.map((one) => `${one.name}: ${one.reason}`).join('; '));
    return true;
  };

  test('whose files cannot be opened any more is made anew from its own log', async () => {
    await write(0, 5, 10);
    await cluster.node(2).stop();
    await damageState(cluster.node(2), /^MANIFEST/);
    await cluster.node(2).start();
    await eventually(healthy, 'every member is healthy again');
    await servesAll(cluster.node(2), 5);
    expect(await cluster.node(2).log()).toContain('from the own log, which is complete');
    expect(await metric(cluster.node(2), 'strongroom_integrity_rebuilds_total')).toBe(1);
    expect(await metric(cluster.node(2), 'strongroom_integrity_out_of_service')).toBe(0);
  });

  test('is fed by another when its log does not go back, even two of three and the founder at once', async () => {
    await write(0, 60, 20_000);
    for (const id of [1, 2]) await untilLogWasCut(cluster.node(id));
    await Promise.all(cluster.nodes.map((node) => node.stop('SIGKILL')));
    // One cannot be opened, the other opens as if nothing had ever been in it.
    await damageState(cluster.node(1), /^MANIFEST/);
    await damageState(cluster.node(2), /^(?:MANIFEST|CURRENT|LOCK|\d+\.)/, 'remove');
    await Promise.all(cluster.nodes.map((node) => node.start()));
    await eventually(healthy, 'every member is healthy again');
    for (const id of [1, 2]) {
      await servesAll(cluster.node(id), 60);
      expect(await cluster.node(id).log()).toContain('The new state has caught up');
      expect(await cluster.node(id).log()).not.toContain('does not vote until');
    }
    const aside = await stat(join(cluster.node(1).dataDir, 'state.damaged'));
    expect(aside.isDirectory()).toBe(true);
    expect(await metric(cluster.node(3), 'strongroom_integrity_rebuilds_total')).toBe(0);
  });

  for (const who of ['leader', 'follower', 'replica'] as const) {
    test(`whose record was altered with its checksum is found and made anew: a ${who}`, async () => {
      await write(0, 5, 10);
      const { leader } = await client.call('cluster.status', {});
      const id =
        who === 'replica' ? 4 : who === 'leader' ? Number(leader) : (Number(leader) % 3) + 1;
      const node = cluster.node(id);
      await Promise.all(cluster.nodes.map((one) => one.stop()));
      await alterOneRecord(node);
      await Promise.all(cluster.nodes.map((one) => one.start()));
      const rebuilds = (one: NodeProcess) => metric(one, 'strongroom_integrity_rebuilds_total');
      await eventually(async () => (await rebuilds(node)) === 1, `node ${id} makes its state anew`);
      await eventually(healthy, 'every member is healthy again');
      await servesAll(node, 5);
      await eventually(
        async () => (await metric(node, 'strongroom_integrity_verify_ok')) === 1,
        'its next pass over the state finds it whole',
      );
      expect(await node.log()).toContain('store.diverged');
      for (const one of cluster.nodes) expect(await rebuilds(one)).toBe(one === node ? 1 : 0);
    });
  }
});

test('a node that makes its state anew keeps the key that it held', {
  timeout: 120_000,
}, async () => {
  await using cluster = await TestCluster.start({
    voters: 3,
    config: { integrity: { compareEveryMs: 200, verifyEveryMs: 6_000 } },
  });
  const client = await cluster.client();
  await client.call('kv.put', { mount: 'secret', path: 'item', data: bytes('kept') });
  const node = cluster.node(3);
  await node.stop();
  await alterOneRecord(node);
  await node.start();
  const unsealed = async () => {
    const { members } = await client.call('cluster.status', {});
    return members.find((one) => one.node === 3)?.sealState === 'unsealed';
  };
  await eventually(unsealed, 'node 3 has opened the seal');
  // From now on it could not open it again: as if it needed people with shares.
  await rm(join(cluster.folder, 'dev-seal.key'));
  await eventually(
    async () => (await metric(node, 'strongroom_integrity_rebuilds_total')) === 1,
    'node 3 makes its state anew',
  );
  await eventually(unsealed, 'node 3 is unsealed again');
  const address = node.ready.apiAddress;
  const got = await client.call('kv.get', { mount: 'secret', path: 'item' }, { address });
  expect(valueOf(got)).toBe('kept');
});

async function metric(node: NodeProcess, name: string): Promise<number> {
  const answer = await fetch(`http://${node.ready.metricsAddress}/metrics`);
  const line = (await answer.text()).split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

async function liveState(node: NodeProcess): Promise<string> {
  const folder = join(node.dataDir, 'state');
  return join(folder, (await readFile(join(folder, 'current'), 'utf8')).trim());
}

/** Turns round a byte in each ten of LevelDB's files that are called so, or removes them. */
async function damageState(node: NodeProcess, names: RegExp, how = 'flip'): Promise<void> {
  const folder = await liveState(node);
  for (const name of await readdir(folder)) {
    if (!names.test(name)) continue;
    const file = join(folder, name);
    const content = await readFile(file);
    for (let at = 5; at < content.length; at += 10) content[at] = (content[at] ?? 0) ^ 0xff;
    if (how === 'remove') await rm(file);
    else await writeFile(file, content);
  }
}

/** Another value in the last data record, under a checksum that fits. */
async function alterOneRecord(node: NodeProcess): Promise<void> {
  const db = new ClassicLevel<Buffer, Buffer>(await liveState(node), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  const data = { gte: Buffer.from([2]), lt: Buffer.from([3]), reverse: true, limit: 1 };
  const [found] = await db.iterator(data).all();
  if (found === undefined) throw new Error('The state is empty');
  const [key, value] = found;
  const record = decodeData(key, value);
  const altered = Uint8Array.from(record.value);
  altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
  await db.put(key, Buffer.from(encodeData(key, { ...record, value: altered })), { sync: true });
  await db.close();
}

async function untilLogWasCut(node: NodeProcess): Promise<void> {
  await eventually(async () => {
    const names = (await readdir(join(node.dataDir, 'log'))).filter((one) => one.endsWith('.log'));
    return !names.includes('segment-0000000001.log');
  }, `the log of ${node.name} was cut`);
}
