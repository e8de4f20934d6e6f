import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { NodeProcess } from '../../chaos/grounds/processes/node-process.ts';
import type { StrongroomClient } from '../../src/client/index.ts';
import { eventually, TestCluster } from '../harness/cluster.ts';
import { PIN, SoftHsm, softHsmInstalled } from '../harness/softhsm.ts';

const place = { mount: 'secret', path: 'team/db' };
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify({ value }));
const valueOf = (answer: { readonly data?: unknown }) =>
  (JSON.parse(new TextDecoder().decode(answer.data as Uint8Array)) as { value: unknown }).value;
async function* streamOf(saved: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(saved);
}

/** An HSM of its own with one token, and how a node's configuration reaches it under `name`. */
async function device(hsm: SoftHsm, name: string) {
  const { module, label, environment = {} } = await hsm.makeToken(name);
  const pinFile = hsm.pinFile(PIN);
  return { name, kind: 'pkcs11' as const, module, token: label, pinFile, environment };
}

async function restart(cluster: TestCluster, slots: Parameters<TestCluster['configureSlots']>[1]) {
  await Promise.all(cluster.nodes.map((node) => node.stop()));
  for (const node of cluster.nodes) await cluster.configureSlots(node, slots);
  await Promise.all(cluster.nodes.map((node) => node.start()));
}

const reads = async (client: StrongroomClient, node: NodeProcess, value: string) =>
  await eventually(
    async () =>
      valueOf(await client.call('kv.get', place, { address: node.ready.apiAddress })) === value,
    `${node.name} reads what was kept`,
  );

const readsEverywhere = async (client: StrongroomClient, cluster: TestCluster, value = 'kept') => {
  for (const node of cluster.nodes) await reads(client, node, value);
};

/** Every one of `nodes` proved that it could open `slot` after a restart. */
const opens = async (client: StrongroomClient, slot: string, nodes: readonly number[]) =>
  await eventually(async () => {
    const status = await client.call('seal.status', {});
    return nodes.every((id) => {
      const node = status.nodes.find((one) => one.node === id);
      return node?.slots.find((one) => one.name === slot)?.health === 'ok';
    });
  }, `nodes ${nodes.join()} can open ${slot}`);

const slotsOf = async (client: StrongroomClient) =>
  (await client.call('seal.status', {})).slots.map((slot) => slot.name);

describe.skipIf(!softHsmInstalled)('the seal of a real cluster', { timeout: 240_000 }, () => {
  test('moves from a file to people, to an HSM, and to another while a node is down, and never closes the cluster', async () => {
    using oldHsm = new SoftHsm();
    using newHsm = new SoftHsm();
    const before = await device(oldHsm, 'before');
    const after = await device(newHsm, 'after');
    await using cluster = await TestCluster.start({ voters: 3 });
    const client = await cluster.client();
    await client.call('kv.put', { ...place, data: bytes('kept') });

    // To people: the file is out of every node's configuration, and gone.
    const asked = { name: 'people', kind: 'shamir', shares: 3, threshold: 2 };
    const shares = (await client.call('seal.addSlot', asked)).shares.map(String);
    await rm(join(cluster.folder, 'dev-seal.key'));
    await restart(cluster, [{ name: 'people', kind: 'shamir' }, before]);
    for (const node of cluster.nodes) {
      for (const share of shares.slice(0, 2)) {
        await client.call('seal.unseal', { share }, { address: node.ready.apiAddress });
      }
    }
    await readsEverywhere(client, cluster);

    // To an HSM, which opens what people had to open before.
    await expect(client.call('seal.removeSlot', { name: 'people' })).rejects.toMatchObject({
      code: 'seal.last-slot',
    });
    await client.call('seal.addSlot', { name: 'before', kind: 'pkcs11' });
    await opens(client, 'before', [1, 2, 3]);
    await client.call('seal.removeSlot', { name: 'dev' });
    await client.call('seal.removeSlot', { name: 'people' });
    expect(await slotsOf(client)).toEqual(['before']);
    await restart(cluster, [before]);
    await readsEverywhere(client, cluster);

    // To another HSM, with a node down that knows nothing of it; the old one is gone when it is back.
    const away = cluster.node(3);
    await away.stop();
    for (const node of [cluster.node(1), cluster.node(2)]) {
      await node.stop();
      await cluster.configureSlots(node, [before, after]);
      await node.start();
      await reads(client, node, 'kept');
    }
    await client.call('seal.addSlot', { name: 'after', kind: 'pkcs11' });
    await opens(client, 'after', [1, 2]);
    await client.call('seal.removeSlot', { name: 'before' });
    await client.call('kv.put', { ...place, data: bytes('written meanwhile') });
    oldHsm[Symbol.dispose]();
    await cluster.configureSlots(away, [before, after]);
    await away.start();
    await reads(client, away, 'written meanwhile');

    await restart(cluster, [after]);
    await readsEverywhere(client, cluster, 'written meanwhile');
    expect(await slotsOf(client)).toEqual(['after']);
    await opens(client, 'after', [1, 2, 3]);
  });

  test('lets a snapshot of a cluster with another HSM in, and needs that HSM no more', async () => {
    using oldHsm = new SoftHsm();
    using newHsm = new SoftHsm();
    const theirs = await device(oldHsm, 'theirs');
    const ours = await device(newHsm, 'ours');
    const saved: Uint8Array[] = [];
    let rootToken = '';
    {
      await using old = await TestCluster.start({ voters: 1, slots: [theirs] });
      const client = await old.client();
      ({ rootToken } = old);
      await client.call('kv.put', { ...place, data: bytes('kept') });
      for await (const chunk of client.saveSnapshot()) saved.push(chunk);
    }
    const snapshot = Buffer.concat(saved);
    await using cluster = await TestCluster.start({ voters: 3, slots: [ours] });
    const young = await cluster.client();
    await young.call('kv.put', { ...place, data: bytes('own') });
    await expect(
      young.restoreSnapshot(streamOf(snapshot), { foreign: true }),
    ).rejects.toMatchObject({ code: 'seal.foreign-closed' });
    expect(valueOf(await young.call('kv.get', place))).toBe('own');

    await restart(cluster, [ours, theirs]);
    await readsEverywhere(young, cluster, 'own');
    await young.restoreSnapshot(streamOf(snapshot), { foreign: true });
    const client = await cluster.client({ token: rootToken });
    await readsEverywhere(client, cluster);
    expect(await slotsOf(client)).toEqual(['ours']);

    oldHsm[Symbol.dispose]();
    await restart(cluster, [ours]);
    await readsEverywhere(client, cluster);
    await client.call('seal.rotateKeyring', {});
    await client.call('kv.put', { ...place, data: bytes('changed') });
    await readsEverywhere(client, cluster, 'changed');
    await opens(client, 'ours', [1, 2, 3]);
  });
});
