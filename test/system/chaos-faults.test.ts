import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { missingFor } from '../../chaos/grounds/processes/apparatus.ts';
import { eventually } from '../../chaos/grounds/processes/eventually.ts';
import { processGround } from '../../chaos/grounds/processes/process-ground.ts';
import { HealPlan } from '../../chaos/heal/heal-plan.ts';
import { readRecord } from '../../chaos/runner/read-record.ts';
import type { ClusterShape } from '../../chaos/scenario/scenario.ts';

const cli = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-chaos-faults-'));
  folders.push(folder);
  return folder;
}

const shape: ClusterShape = {
  nodes: ['voter-1', 'voter-2', 'voter-3'].map((name) => ({
    name,
    kind: 'voter',
    region: 'local',
  })),
  seal: 'dev',
  betweenRegions: undefined,
};

const disks = missingFor(shape, new Set(['disk.full', 'disk.sync', 'audit.sink']));
if (disks !== undefined) console.warn(`Disks in trouble are not tried on real processes: ${disks}`);

test.skipIf(disks !== undefined)(
  'no disk that is full, slow or lying, and no audit log that cannot be written, loses a write',
  { timeout: 120_000 },
  async () => {
    const folder = newFolder();
    const args = [cli, 'chaos', 'run', 'disk-faults', '--seed', '7', '--out', folder];
    const { stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 110_000 });
    expect(stderr).toContain('>>> audit-sink');
    const { faults, samples, checks } = await readRecord(folder);
    // Its objectives are times and rates, which a busy machine may miss.
    expect(checks.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'linearizable ok',
      'faults-felt ok',
    ]);
    expect(faults.map((one) => one.error)).toEqual(faults.map(() => undefined));
    // Who cannot sync its log ends by itself, and is away until it was started again.
    const fault = faults.find((one) => one.fault === 'fsync-fails');
    const until = fault?.healthyAt ?? 0;
    const during = samples.filter((one) => one.at > (fault?.effectiveAt ?? 0) && one.at < until);
    const nodes = during.flatMap((one) => one.observation.nodes);
    expect(nodes.some((one) => one.name === fault?.nodes[0] && !one.up)).toBe(true);
  },
);

test.skipIf(disks !== undefined)(
  'a leader whose audit log is full hands over, so that writes go on before anything is mended',
  { timeout: 60_000 },
  async () => {
    await using cluster = await processGround.start(shape, {
      healPlan: new HealPlan(newFolder(), { scenario: 'test', ground: 'processes', startedAt: '' }),
      seed: 1,
      needs: new Set(['audit.sink']),
      signal: new AbortController().signal,
    });
    const client = await cluster.client();
    const { leader: full = '' } = await cluster.observe();
    await cluster.levers.audit?.lay('full', [full], { writes: 'full' });
    const data = new TextEncoder().encode(JSON.stringify({ value: 'x' }));
    await eventually(
      () =>
        client.call('kv.put', { mount: 'secret', path: 'after', data }).then(
          () => true,
          () => false,
        ),
      'a write is acknowledged',
    );
    const { leader = '' } = await cluster.observe();
    expect(leader).not.toBe(full);
    const others = await cluster.client({ prefer: leader });
    const memberOf = async (name: string) => {
      const { members } = await others.call('cluster.status', {});
      return members.find((member) => member.name === name);
    };
    expect(await memberOf(full)).toMatchObject({
      healthy: false,
      reason: 'it refuses every request: its audit log cannot be written ("file")',
    });
    const { node = 0 } = (await memberOf(full)) ?? {};
    await expect(others.call('cluster.stepDown', { node })).rejects.toMatchObject({
      code: 'cluster.change-refused',
    });
    await cluster.levers.audit?.lift('full');
    await eventually(async () => (await memberOf(full))?.healthy === true, 'it is well again');
  },
);

test('a node that was away while the log was compacted is brought back by a snapshot', {
  timeout: 60_000,
}, async () => {
  const folder = newFolder();
  const about = { scenario: 'test', ground: 'processes', startedAt: '' };
  const healPlan = new HealPlan(folder, about);
  await using cluster = await processGround.start(shape, {
    healPlan,
    seed: 1,
    needs: new Set(['log.short']),
    signal: new AbortController().signal,
  });
  const client = await cluster.client();
  await cluster.levers.process?.kill('voter-3');
  const data = new TextEncoder().encode(JSON.stringify({ value: 'x'.repeat(100_000) }));
  for (let count = 0; count < 60; count++)
    await client.call('kv.put', { mount: 'secret', path: 'filler', data });
  const { commit } = await cluster.observe();
  await cluster.levers.process?.start('voter-3');
  await eventually(async () => {
    const { nodes } = await cluster.observe();
    return nodes.some((one) => one.name === 'voter-3' && one.applied >= commit);
  }, 'voter-3 has what it missed');
  await cluster.collect(folder);
  const logs = ['voter-1', 'voter-2'].map((name) =>
    readFileSync(join(folder, `${name}.log`), 'utf8'),
  );
  expect(logs.join('')).toContain('Sent a snapshot to a peer that lagged');
});
