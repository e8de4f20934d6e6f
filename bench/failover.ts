// Kills the leader of a local cluster again and again, and tells how long the next write waits.
//
//   npm run bench:failover              ten kills
//   npm run bench:failover -- --kills 50
//   npm run bench:failover -- --secrets 1000000    with so many secrets of 256 bytes there
import { parseArgs } from 'node:util';
import { connect, type StrongroomClient } from '../src/client/index.ts';
import { median } from './measure.ts';
import { startStrongroom } from './peers/strongroom.ts';

const WRITE_MS = 60_000;

const IN_FLIGHT = 256;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '10' },
    secrets: { type: 'string', default: '0' },
  },
});
const kills = Number(values.kills);
if (!Number.isInteger(kills) || kills < 1) throw new Error('--kills is a whole number from 1');
const secrets = Number(values.secrets);
if (!Number.isInteger(secrets) || secrets < 0) throw new Error('--secrets is a whole number');

const say = (text: string) => process.stderr.write(`${text}\n`);
const waits: number[] = [];
{
  await using cluster = await startStrongroom({ basePort: 24_500, replicas: 0 });
  const data = new TextEncoder().encode('{"password":"x"}');
  // Its own client, so that asking for the leader does not teach it the way.
  await using client = await connect({
    addresses: cluster.nodes.map((node) => `http://${node.grpcAddress}`),
    token: cluster.token,
  });
  const write = (round: number) =>
    client.call(
      'kv.put',
      { mount: 'secret', path: `failover/${round}`, data },
      { timeoutMs: WRITE_MS },
    );
  await fill(client);
  for (let round = 1; round <= kills; round++) {
    await write(0);
    const leader = await cluster.leader();
    const startedAt = performance.now();
    process.kill(leader.pid, 'SIGKILL');
    await write(round);
    const waitedMs = performance.now() - startedAt;
    waits.push(waitedMs);
    say(
      `Kill ${round} of ${kills}, node ${leader.id}: written again after ${waitedMs.toFixed(0)} ms`,
    );
    // Back to three voters before the next: two dead at once would leave no majority.
    if (round < kills) await cluster.restart();
  }
}
process.stdout.write(
  `${kills} kills over ${secrets} secrets: median ${median(waits).toFixed(0)} ms, longest ${Math.max(...waits).toFixed(0)} ms\n`,
);

async function fill(client: StrongroomClient): Promise<void> {
  const data = new TextEncoder().encode(JSON.stringify({ value: 'x'.repeat(256) }));
  const told = Math.ceil(secrets / 10);
  let next = 0;
  const writer = async () => {
    for (let key = next++; key < secrets; key = next++) {
      await client.call('kv.put', { mount: 'secret', path: `filled/${key}`, data });
      if ((key + 1) % told === 0) say(`Wrote ${key + 1} of ${secrets} secrets`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, writer));
}
