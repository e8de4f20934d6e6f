import { z } from 'zod';
import type { VaultClient } from '../grounds/ground.ts';
import { nodeAddresses } from '../grounds/node-addresses.ts';
import { sleep } from '../grounds/sleep.ts';
import { defineFault, type Injection } from './fault.ts';

const CALL_MS = 20_000;
/** A rotation may have to wait for an HSM, a leader and a slot that proves itself. */
const FINISH_MS = 60_000;
const AGAIN_MS = 250;

const kinds = ['keyring', 'root', 'kek'] as const;

const rotateParameters = z
  .strictObject({
    what: z.enum(kinds),
    /** Of a key-encryption key: whose. */
    slot: z.string().max(128).optional(),
  })
  .refine(({ what, slot }) => (what === 'kek') === (slot !== undefined), {
    message: 'a "kek" needs the "slot" that it is for, and nothing else has one',
    path: ['slot'],
  });

type Rotation = z.output<typeof rotateParameters>;

/**
 * Begins a rotation and waits for nothing: what else goes wrong may cut it off. An operator who sees
 * that begins it again, and so does the heal, until one is through.
 */
export const rotate = defineFault<Rotation>({
  name: 'rotate',
  summary:
    'begins to rotate the keyring, the root or a KEK; the heal takes it up until it is through',
  danger: 'mild',
  targets: 'none',
  lasting: true,
  parameters: rotateParameters as z.ZodType<Rotation>,
  needs: () => ['cluster.seal'],
  async inject({ cluster, parameters, undo }) {
    const client = await cluster.client();
    let isThrough = false;
    let rotating: Promise<unknown> = Promise.resolve();
    undo(`finish rotating the ${parameters.what}`, async () => {
      if (isThrough) return;
      await rotating;
      const deadline = cluster.clock.monotonicMs() + FINISH_MS;
      for (let failure: unknown; !isThrough; ) {
        if (cluster.clock.monotonicMs() > deadline)
          throw new Error(`It was not through within ${FINISH_MS} ms: ${textOf(failure)}`);
        await begin(client, parameters).then(
          () => {
            isThrough = true;
          },
          (error: unknown) => {
            failure = error;
          },
        );
        if (!isThrough) await sleep(cluster.clock, AGAIN_MS);
      }
      await client.close();
    });
    rotating = begin(client, parameters).then(
      () => {
        isThrough = true;
      },
      () => undefined,
    );
    void rotating.then(() => (isThrough ? client.close() : undefined));
  },
});

function begin(client: VaultClient, { what, slot }: Rotation): Promise<unknown> {
  const options = { timeoutMs: CALL_MS };
  switch (what) {
    case 'keyring':
      return client.call('seal.rotateKeyring', {}, options);
    case 'root':
      return client.call('seal.rotateRoot', {}, options);
    case 'kek':
      return client.call('seal.rotateKek', { slot: slot ?? '' }, options);
  }
}

const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** By hand, as after an alarm; lifted by whoever holds the token that sealed. */
export const seal = defineFault({
  name: 'seal',
  summary: 'seals every node by hand, and lifts that; nodes whose seal needs people wait for them',
  danger: 'disruptive',
  targets: 'none',
  lasting: true,
  parameters: z.strictObject({}),
  needs: () => ['cluster.seal'],
  async inject({ cluster, id, undo }) {
    const client = await cluster.client();
    const addresses = await nodeAddresses(client);
    let isSealed = true;
    undo('lift the seal', async () => {
      if (!isSealed) return;
      await untilDone(cluster, () =>
        client.call('seal.unseal', { auto: true }, { timeoutMs: CALL_MS }),
      );
      await untilSeal({ cluster, client, addresses }, addresses.keys(), 'unsealed');
      isSealed = false;
      cluster.aftermath?.done(id);
      await client.close();
    });
    cluster.aftermath?.plan(id, 'lift the seal', { args: ['operator', 'unseal', '--auto'] });
    await client.call('seal.seal', {}, { timeoutMs: CALL_MS });
    await untilSeal({ cluster, client, addresses }, addresses.keys(), 'sealed');
  },
});

async function untilDone(
  cluster: Injection['cluster'],
  action: () => Promise<unknown>,
): Promise<void> {
  const deadline = cluster.clock.monotonicMs() + FINISH_MS;
  for (;;) {
    try {
      await action();
      return;
    } catch (error) {
      if (cluster.clock.monotonicMs() > deadline) throw error;
      await sleep(cluster.clock, AGAIN_MS);
    }
  }
}

interface SealView {
  readonly cluster: Injection['cluster'];
  readonly client: VaultClient;
  /** Of the API of each node, asked while all was well. */
  readonly addresses: ReadonlyMap<string, string>;
}

/** Resolves when those nodes say of themselves that they are so. @throws Error after a minute. */
export async function untilSeal(
  { cluster, client, addresses }: SealView,
  nodes: Iterable<string>,
  wanted: 'sealed' | 'unsealed',
): Promise<void> {
  for (const node of nodes) {
    await untilDone(cluster, async () => {
      const options = { address: addresses.get(node), timeoutMs: CALL_MS };
      const { sealed } = await client.call('seal.status', {}, options);
      if (sealed !== (wanted === 'sealed')) throw new Error(`${node} is not ${wanted}`);
    });
  }
}
