// How fast a new read replica is brought up by a snapshot, while the cluster goes on serving.
//
//   npm run bench:catch-up                        100 MB of secrets
//   npm run bench:catch-up -- --megabytes 400
//
// The floor beside it, in the same run: as many bytes through a socket of loopback to a file and to disk.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { eventually } from '../chaos/grounds/processes/eventually.ts';
import { LocalCluster } from '../chaos/grounds/processes/local-cluster.ts';
import type { StrongroomClient } from '../src/client/index.ts';
import { deferred, splitAddress, TcpPort } from '../src/lib/index.ts';
import { cpuMicroseconds, median } from './measure.ts';

const SECRET_BYTES = 32 * 1024;
const FILLING = 32;
/** So little log is kept that a replica that begins needs a snapshot. */
const LOG_KEEP_BYTES = 4 * 1024 * 1024;
const CATCH_UP_MS = 300_000;

const { values } = parseArgs({ options: { megabytes: { type: 'string', default: '100' } } });
const megabytes = Number(values.megabytes);
if (!Number.isInteger(megabytes) || megabytes < 1) {
  throw new Error('--megabytes is a whole number from 1');
}
const bytes = megabytes * 1_000_000;

const say = (text: string) => process.stderr.write(`${text}\n`);
const secret = (content: string) => new TextEncoder().encode(JSON.stringify({ value: content }));
const rate = (ms: number) => bytes / 1_000_000 / (ms / 1_000);

await using cluster = await LocalCluster.start({
  voters: 3,
  config: { raft: { logKeepBytes: LOG_KEEP_BYTES } },
});
const client = await cluster.client();
say(`Writes ${megabytes} MB of secrets`);
await fill(client);
const before = await loaded(client, new Promise((resolve) => setTimeout(resolve, 5_000)));
say('Adds a replica');
const taken = { ms: 0, replicaCpuMs: 0 };
const during = await loaded(
  client,
  addReplica(cluster, client).then((one) => {
    Object.assign(taken, one);
  }),
);
const floorMs = await floor();
process.stdout.write(
  [
    `A replica had ${megabytes} MB of secrets after ${(taken.ms / 1_000).toFixed(1)} s: ${rate(taken.ms).toFixed(0)} MB/s, with ${(taken.replicaCpuMs / megabytes).toFixed(0)} ms of its processor time a MB`,
    `Through a socket to a file, the same bytes: ${rate(floorMs).toFixed(0)} MB/s, so ${(floorMs / taken.ms).toFixed(2)} of that`,
    `A write then read meanwhile: median ${during.toFixed(1)} ms, before ${before.toFixed(1)} ms`,
    '',
  ].join('\n'),
);

async function fill(to: StrongroomClient): Promise<void> {
  const count = Math.ceil(bytes / SECRET_BYTES);
  let next = 0;
  const writer = async () => {
    for (let key = next++; key < count; key = next++) {
      // Noise: what is sealed does not shrink either.
      const data = secret(randomBytes((SECRET_BYTES * 3) / 4).toString('base64'));
      await to.call('kv.put', { mount: 'secret', path: `filled/${key}`, data });
    }
  };
  await Promise.all(Array.from({ length: FILLING }, writer));
}

/** From where the replica is connected until it answers with what was written last before it began. */
async function addReplica(to: LocalCluster, leader: StrongroomClient): Promise<typeof taken> {
  const put = await leader.call('kv.put', { mount: 'secret', path: 'last', data: secret('there') });
  const answer = await leader.call('cluster.createJoinToken', {
    kind: 'replica',
    region: 'west',
    ttlMs: 60_000,
  });
  const node = await to.join({ token: answer.joinToken, kind: 'replica', region: 'west' });
  const startedAt = performance.now();
  const before = cpuMicroseconds(node.pid);
  const consistency = { kind: 'at-least', revision: Number(put.revision) } as const;
  const options = { address: node.ready.apiAddress, consistency, timeoutMs: 2_000 };
  await eventually(
    async () => {
      const got = await leader.call('kv.get', { mount: 'secret', path: 'last' }, options);
      return got.data !== undefined;
    },
    'the replica has caught up',
    CATCH_UP_MS,
  );
  const replicaCpuMs = (cpuMicroseconds(node.pid) - before) / 1_000;
  return { ms: performance.now() - startedAt, replicaCpuMs };
}

/** One write and one linearizable read after the other. @returns median milliseconds of a pair. */
async function loaded(to: StrongroomClient, until: Promise<void>): Promise<number> {
  const took: number[] = [];
  let over = false;
  const done = until.finally(() => {
    over = true;
  });
  while (!over) {
    const startedAt = performance.now();
    await to.call('kv.put', { mount: 'secret', path: 'beat', data: secret('beat') });
    await to.call('kv.get', { mount: 'secret', path: 'beat' });
    took.push(performance.now() - startedAt);
  }
  await done;
  return median(took);
}

async function floor(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-floor-'));
  const chunk = randomBytes(64 * 1024);
  const startedAt = performance.now();
  await using file = await open(join(folder, 'copy'), 'w');
  const received = deferred<void>();
  using port = await TcpPort.open('127.0.0.1:0', 'the floor', (socket) => {
    pipeline(socket, file.createWriteStream({ flush: true })).then(
      received.resolve,
      received.reject,
    );
  });
  const to = connect(splitAddress(port.address));
  for (let sent = 0; sent < bytes; sent += chunk.byteLength) {
    if (!to.write(chunk)) await once(to, 'drain');
  }
  to.end();
  await received.promise;
  const tookMs = performance.now() - startedAt;
  await rm(folder, { recursive: true });
  return tookMs;
}
