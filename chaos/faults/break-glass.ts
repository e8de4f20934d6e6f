import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { hasCode } from '../../src/lib/index.ts';
import type { VaultClient } from '../grounds/ground.ts';
import { nodeAddresses } from '../grounds/node-addresses.ts';
import { sleep } from '../grounds/sleep.ts';
import { defineFault, type Injection, lever } from './fault.ts';
import { untilSeal } from './seal.ts';

const CALL_MS = 20_000;
const SLOT = 'glass';

const parameters = z
  .strictObject({
    shares: z.int().min(2).max(16).default(5),
    threshold: z.int().min(2).max(16).default(3),
  })
  .refine(({ shares, threshold }) => threshold <= shares, 'a threshold is at most all shares');

type Parameters = z.output<typeof parameters>;

/**
 * The HSM is gone, every node restarts, and people with shares open them. While all was well a
 * recovery slot was added; what it must refuse is tried, and the audit logs are asked for the share
 * that opened each node.
 */
export const breakGlass = defineFault<Parameters>({
  name: 'break-glass',
  summary: 'restarts nodes while the HSM is away, and opens them with shares of a recovery slot',
  danger: 'disruptive',
  targets: 'nodes',
  lasting: true,
  parameters: parameters as z.ZodType<Parameters>,
  needs: () => ['cluster.seal', 'hsm.link', 'process.kill'],
  async inject(injection) {
    const { cluster, id, nodes, undo, parameters: wanted } = injection;
    const link = lever(cluster, 'hsm');
    const processes = lever(cluster, 'process');
    const client = await cluster.client();
    const addresses = await nodeAddresses(client);
    let isSwept = false;
    // Last of all: with the HSM back there is another way to open.
    undo('take the recovery slot away', async () => {
      if (isSwept) return;
      await removeSlot(injection, client);
      isSwept = true;
      cluster.aftermath?.done(id);
      await client.close();
    });
    cluster.aftermath?.plan(id, 'take the recovery slot away', {
      args: ['operator', 'slot', 'remove', SLOT],
      unless: 'seal.slot-unknown',
    });
    const { shares } = await client.call('seal.addSlot', {
      name: SLOT,
      kind: 'shamir',
      ...wanted,
    });
    for (const node of nodes) undo(`start ${node}`, () => processes.start(node));
    undo('let the HSM be reached', () => link.lift(id));
    await link.lay(id, [...addresses.keys()], { blocked: 'refuse' });
    await Promise.all(nodes.map((node) => processes.kill(node)));
    await Promise.all(nodes.map((node) => processes.start(node)));
    const view = { cluster, client, addresses };
    await untilSeal(view, nodes, 'sealed');
    for (const node of nodes) {
      const address = addresses.get(node) ?? '';
      await refusesWrong(client, address, shares[0] ?? '');
      const opening = `${id}-${node}`;
      for (const share of shares.slice(0, wanted.threshold))
        await client.call(
          'seal.unseal',
          { share },
          { address, timeoutMs: CALL_MS, correlationId: opening },
        );
      await untilSeal(view, [node], 'unsealed');
      await requireAudited(injection, node, opening);
    }
  },
});

/** A share with a changed letter is told at once, and counts for nothing. */
async function refusesWrong(client: VaultClient, address: string, share: string): Promise<void> {
  const at = Math.floor(share.length / 2);
  const wrong = `${share.slice(0, at)}${share[at] === 'a' ? 'b' : 'a'}${share.slice(at + 1)}`;
  const options = { address, timeoutMs: CALL_MS };
  const answer = await client
    .call('seal.unseal', { share: wrong }, options)
    .catch((error: unknown) => {
      if (hasCode(error, 'seal.share-invalid', 'seal.share-foreign', 'seal.share-wrong'))
        return undefined;
      throw error;
    });
  if (answer !== undefined) throw new Error('A share with a changed letter was taken');
  const { sharesGiven } = await client.call('seal.status', {}, options);
  if (sharesGiven !== 0) throw new Error('A wrong share counts');
}

/** Where the logs can be read: the share that opened a node is on record there. */
async function requireAudited(
  { cluster }: Injection<Parameters>,
  node: string,
  correlationId: string,
): Promise<void> {
  const files = await cluster.auditFiles?.(node);
  if (files === undefined) return;
  for (const file of files) {
    const input = createReadStream(file, 'utf8');
    try {
      for await (const line of createInterface({ input }))
        if (line.includes(correlationId) && line.includes('seal.unseal')) return;
    } finally {
      input.destroy();
    }
  }
  throw new Error(`The audit log of ${node} does not show that shares have opened it`);
}

/** Once every node that is left proves that the HSM opens it: before that it is refused. */
async function removeSlot({ cluster }: Injection<Parameters>, client: VaultClient): Promise<void> {
  const deadline = cluster.clock.monotonicMs() + REMOVE_MS;
  for (;;) {
    try {
      await client.call('seal.removeSlot', { name: SLOT }, { timeoutMs: CALL_MS });
      return;
    } catch (error) {
      if (hasCode(error, 'seal.slot-unknown')) return;
      if (cluster.clock.monotonicMs() > deadline) throw error;
      await sleep(cluster.clock, AGAIN_MS);
    }
  }
}

const REMOVE_MS = 60_000;
const AGAIN_MS = 500;
