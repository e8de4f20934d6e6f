import { z } from 'zod';
import type { VaultClient } from '../grounds/ground.ts';
import { sleep } from '../grounds/sleep.ts';
import { duration } from '../scenario/units.ts';
import { defineFault } from './fault.ts';

const IN_FLIGHT = 64;
const OWN_TTL_MS = 3_600_000;
const CALL_MS = 10_000;
/** Written over and over, so that the log grows and the state does not. */
const FILLED_KEYS = 8;

/** Does it `count` times, some at once, unless it is over before. */
async function many(count: number, isOver: () => boolean, one: () => Promise<unknown>) {
  let left = count;
  const lane = async () => {
    while (left-- > 0 && !isOver()) await one();
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count) }, lane));
}

export const leaseStorm = defineFault({
  name: 'lease-storm',
  summary: 'makes up to thousands of tokens that expire at one moment; the heal revokes the rest',
  danger: 'mild',
  targets: 'none',
  lasting: true,
  parameters: z.strictObject({
    tokens: z.int().min(1).max(100_000).default(2_000),
    expire: duration().default(5_000),
  }),
  needs: () => ['cluster.load', 'cluster.admin'],
  async inject({ cluster, parameters, signal, undo }) {
    const client = await cluster.client();
    const parent = await client.call('token.create', { ttlMs: OWN_TTL_MS, displayName: 'storm' });
    const own = await cluster.client({ token: parent.token });
    let isRevoked = false;
    undo('revoke the tokens that are left', async () => {
      if (!isRevoked) await own.call('token.revokeSelf', {});
      isRevoked = true;
      await Promise.all([client.close(), own.close()]);
    });
    const { clock } = cluster;
    const end = clock.monotonicMs() + parameters.expire;
    // As many as the cluster makes until then: later ones would end by themselves.
    const isOver = () => signal.aborted || clock.monotonicMs() >= end;
    await many(parameters.tokens, isOver, () => {
      const ttlMs = Math.max(1, Math.ceil(end - clock.monotonicMs()));
      return own.call('token.create', { ttlMs, renewable: false }, { timeoutMs: CALL_MS });
    });
  },
});

export const clientStorm = defineFault({
  name: 'client-storm',
  summary: 'opens many clients at once, which all ask as fast as they are answered',
  danger: 'mild',
  targets: 'none',
  lasting: true,
  parameters: z.strictObject({ clients: z.int().min(1).max(1_000).default(100) }),
  needs: () => ['cluster.load'],
  async inject({ cluster, parameters, undo }) {
    const over = new AbortController();
    const clients: VaultClient[] = [];
    undo('send the clients home', async () => {
      over.abort();
      await Promise.all(clients.splice(0).map((client) => client.close()));
    });
    const ask = async (client: VaultClient) => {
      while (!over.signal.aborted)
        // Overload is refused, which is as it should be; a refused client asks again, a bit later.
        await client
          .call('token.lookupSelf', {}, { timeoutMs: CALL_MS })
          .catch(() => sleep(cluster.clock, IN_FLIGHT, over.signal));
    };
    for (let count = 0; count < parameters.clients; count++) {
      const client = await cluster.client();
      clients.push(client);
      void ask(client);
    }
  },
});

const VALUE_MAX = 512 * 1024;

export const fillLog = defineFault({
  name: 'fill-log',
  summary: 'writes so much that the log is compacted, and who is behind needs a snapshot',
  danger: 'mild',
  targets: 'none',
  lasting: true,
  parameters: z.strictObject({
    value: z
      .int()
      .min(1)
      .max(VALUE_MAX)
      .default(64 * 1024),
    pause: duration().default(5),
  }),
  needs: () => ['log.short', 'cluster.load'],
  async inject({ cluster, id, parameters, random, undo }) {
    const over = new AbortController();
    const client = await cluster.client();
    const place = (key: number) => ({ mount: 'secret', path: `chaos/${id}/${key}` });
    let filling = Promise.resolve();
    let isClosed = false;
    undo('remove what was written', async () => {
      over.abort();
      await filling;
      if (isClosed) return;
      for (let key = 0; key < FILLED_KEYS; key++)
        await client.call('kv.deleteMetadata', place(key)).catch(() => undefined);
      isClosed = true;
      await client.close();
    });
    // What does not compress: half as many bytes, written as hexadecimal digits.
    const value = Buffer.from(random.bytes(Math.ceil(parameters.value / 2))).toString('hex');
    const data = new TextEncoder().encode(JSON.stringify({ value }));
    const fill = async () => {
      for (let count = 0; !over.signal.aborted; count++) {
        const request = { ...place(count % FILLED_KEYS), data };
        await client.call('kv.put', request, { timeoutMs: CALL_MS }).catch(() => undefined);
        await sleep(cluster.clock, parameters.pause, over.signal);
      }
    };
    filling = fill();
  },
});

export const snapshotPressure = defineFault({
  name: 'snapshot-pressure',
  summary: 'saves snapshots of the whole state, one after the other, and throws them away',
  danger: 'mild',
  targets: 'none',
  lasting: true,
  parameters: z.strictObject({ pause: duration().default(100) }),
  needs: () => ['cluster.snapshot'],
  async inject({ cluster, parameters, undo }) {
    const over = new AbortController();
    const client = await cluster.client();
    let saving = Promise.resolve();
    undo('save no more', async () => {
      over.abort();
      await saving;
      await client.close();
    });
    const save = async () => {
      while (!over.signal.aborted) {
        await saveOnce(client, over.signal).catch(() => undefined);
        await sleep(cluster.clock, parameters.pause, over.signal);
      }
    };
    saving = save();
  },
});

async function saveOnce(client: VaultClient, signal: AbortSignal): Promise<void> {
  if (client.saveSnapshot === undefined) throw new Error('The ground cannot save snapshots');
  let bytes = 0;
  for await (const chunk of client.saveSnapshot({ signal })) bytes += chunk.length;
  if (bytes === 0) throw new Error('A snapshot of nothing');
}
