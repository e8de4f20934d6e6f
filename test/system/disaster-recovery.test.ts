import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, TestCluster } from '../harness/cluster.ts';

const place = { mount: 'secret', path: 'team/db' };
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify({ value }));
const valueOf = (answer: { readonly data?: unknown }) =>
  (JSON.parse(new TextDecoder().decode(answer.data as Uint8Array)) as { value: unknown }).value;
async function* streamOf(saved: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(saved);
}

/** The key file stands for an HSM that outlived the machines. */
describe('a cluster whose machines are gone', { timeout: 120_000 }, () => {
  const old = {
    rootToken: '',
    clusterId: '',
    revision: 0,
    shares: [] as string[],
    snapshot: new Uint8Array(),
  };
  let folder: string;
  let keyFile: string;
  const slotsAt = (path: string) => [{ name: 'hsm', kind: 'dev' as const, path }];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-recovery-'));
    keyFile = join(folder, 'hsm.key');
    await using cluster = await TestCluster.start({ voters: 1, slots: slotsAt(keyFile) });
    const client = await cluster.client();
    // So that its revisions are far above those of a young cluster.
    for (let i = 0; i < 300; i++) await client.call('kv.put', { ...place, data: bytes(i) });
    await client.call('namespace.create', { path: 'tenant' });
    const custodians = { name: 'custodians', kind: 'shamir', shares: 3, threshold: 2 };
    const { shares } = await client.call('seal.addSlot', custodians);
    const put = await client.call('kv.put', { ...place, data: bytes('kept') });
    const saved: Uint8Array[] = [];
    for await (const chunk of client.saveSnapshot()) saved.push(chunk);
    Object.assign(old, {
      shares: shares.map(String),
      rootToken: cluster.rootToken,
      clusterId: cluster.node(1).ready.clusterId,
      revision: Number(put['revision']),
      snapshot: Buffer.concat(saved),
    });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('lives on in a new one that can open its seal, which needs the old seal no more', async () => {
    await using cluster = await TestCluster.start({
      voters: 3,
      replicas: ['west'],
      slots: slotsAt(keyFile),
    });
    const young = await cluster.client();
    const client = await cluster.client({ token: old.rootToken });
    const before = await young.call('cluster.status', {});
    await expect(young.restoreSnapshot(streamOf(old.snapshot))).rejects.toMatchObject({
      code: 'store.snapshot-invalid',
    });

    await young.restoreSnapshot(streamOf(old.snapshot), { foreign: true });

    const servesAll = async () => {
      for (const node of cluster.nodes) {
        const address = node.ready.apiAddress;
        await eventually(
          async () => valueOf(await client.call('kv.get', place, { address })) === 'kept',
          `${node.name} reads what the old cluster kept`,
        );
      }
    };
    await servesAll();
    const namespaces = await client.call('namespace.list', {});
    expect(JSON.stringify(namespaces)).toContain('tenant');
    await expect(young.call('token.lookupSelf', {})).rejects.toMatchObject({
      code: 'auth.permission-denied',
    });
    // Who it is has not changed, nor who is in it; and its CA still lets nodes in.
    const after = await client.call('cluster.status', {});
    expect(after.clusterId).toBe(before.clusterId);
    expect(after.clusterId).not.toBe(old.clusterId);
    expect(after.members.map(({ node, kind }) => `${node} ${kind}`)).toEqual(
      before.members.map(({ node, kind }) => `${node} ${kind}`),
    );
    const asked = { kind: 'replica', region: 'west', ttlMs: 60_000 };
    const { joinToken } = await client.call('cluster.createJoinToken', asked);
    await cluster.join({ token: String(joinToken), kind: 'replica', region: 'west' });

    // A revision of the old cluster fails at once.
    const startMs = performance.now();
    await expect(
      client.call('kv.get', place, {
        address: cluster.node(2).ready.apiAddress,
        consistency: { kind: 'at-least', revision: old.revision },
      }),
    ).rejects.toMatchObject({ code: 'replication.unknown-revision' });
    expect(performance.now() - startMs).toBeLessThan(2_000);

    // The first line is the old cluster's key.
    const keys = (await readFile(keyFile, 'utf8')).split('\n');
    await writeFile(keyFile, keys.slice(1).join('\n'));
    await Promise.all(cluster.nodes.map((node) => node.stop()));
    await Promise.all(cluster.nodes.map((node) => node.start()));
    await servesAll();
    await client.call('seal.rotateKeyring', {});
    await client.call('kv.put', { ...place, data: bytes('kept') });
    await servesAll();
    await writeFile(keyFile, keys.join('\n'));
  });

  test('stays closed to a cluster that cannot open its seal, and opens to enough shares', async () => {
    const other = join(folder, 'other.key');
    await using cluster = await TestCluster.start({ voters: 1, slots: slotsAt(other) });
    const client = await cluster.client();
    await client.call('kv.put', { ...place, data: bytes('own') });
    await expect(
      client.restoreSnapshot(streamOf(old.snapshot), { foreign: true }),
    ).rejects.toMatchObject({ code: 'seal.foreign-closed' });
    const [one = ''] = old.shares;
    await expect(
      client.restoreSnapshot(streamOf(old.snapshot), { foreign: true, shares: [one] }),
    ).rejects.toThrow(/2 shares are needed, 1 were given|1 more/);
    expect(valueOf(await client.call('kv.get', place))).toBe('own');
    const shares = old.shares.slice(1);
    await client.restoreSnapshot(streamOf(old.snapshot), { foreign: true, shares });
    const after = await cluster.client({ token: old.rootToken });
    await eventually(
      async () => valueOf(await after.call('kv.get', place)) === 'kept',
      'what the old cluster kept is there',
    );
  });
});
