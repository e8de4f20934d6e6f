import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { freePortRow } from '../../chaos/grounds/processes/free-ports.ts';
import type { LocalDocument } from '../../src/cli/local-cluster/start.ts';
import { connect, type StrongroomClient } from '../../src/client/index.ts';
import { softHsmInstalled } from '../harness/softhsm.ts';

const cli = new URL('../../dist/cli/main.js', import.meta.url).pathname;
/** A node that waits for a claim or a missing share is sealed for a minute, and `up` fails then. */
const QUICK_MS = 45_000;
const PORTS = 12;

let data = '';
let runs: ChildProcess[] = [];
beforeEach(() => {
  data = join(mkdtempSync(join(tmpdir(), 'strongroom-up-')), 'data');
});
afterEach(async () => {
  for (const child of runs) child.kill('SIGKILL');
  runs = [];
  if (existsSync(join(data, 'cluster.json'))) await ended(run(['down', '--data', data]));
  rmSync(join(data, '..'), { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly text: { out: string; err: string };
}

function run(args: readonly string[]): Run {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    text.out += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    text.err += String(chunk);
  });
  runs.push(child);
  return { child, text };
}

async function ended(one: Run): Promise<{ status: number | null; out: string; err: string }> {
  if (one.child.exitCode === null && one.child.signalCode === null) await once(one.child, 'close');
  return { status: one.child.exitCode, ...one.text };
}

/** Three for each node. */
const basePort = async () => String(await freePortRow(PORTS));

const nodeProcesses = () =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(data);
    } catch {
      return false;
    }
  });

/** A voter that was started again, and has had no shares, may not be made to lead: writes go on. */
async function leadershipStaysWithWhoIsOpen(
  { nodes }: LocalDocument,
  client: StrongroomClient,
): Promise<void> {
  const membersNow = async () => (await client.call('cluster.status', {})).members;
  const follower = (await membersNow()).find((one) => one.role === 'follower');
  const node = nodes.find((one) => one.id === follower?.node);
  if (node === undefined) throw new Error('There is no follower');
  process.kill(node.pid, 'SIGKILL');
  run(['server', '-c', join(data, node.name, 'node.json')]);
  const isSealedFollower = async () => {
    const self = (await membersNow()).find((one) => one.node === node.id);
    return self?.role === 'follower' && self.healthy && self.sealState === 'sealed';
  };
  await expect.poll(isSealedFollower, { timeout: QUICK_MS }).toBe(true);
  const handOver = client.call('cluster.stepDown', { node: node.id });
  await expect(handOver).rejects.toMatchObject({ code: 'cluster.change-refused' });
  const written = new TextEncoder().encode('{"value":1}');
  await client.call('kv.put', { mount: 'secret', path: 'a', data: written });
  const leader = (await membersNow()).find((one) => one.role === 'leader');
  expect(leader).toMatchObject({ sealState: 'unsealed' });
}

describe('strongroom up', { timeout: 120_000 }, () => {
  test('unseals the nodes that join with the shares it keeps, at the first start too', async () => {
    const args = ['--seal', 'shamir', '--replica', 'west=1', '--insecure-plaintext'];
    const port = await basePort();
    const first = run([
      'up',
      '--detach',
      ...args,
      '--base-port',
      port,
      '--data',
      data,
      '--format',
      'yaml',
    ]);
    const { status, out, err } = await ended(first);
    expect({ status, err }).toMatchObject({ status: 0 });
    const document = parse(out) as LocalDocument;
    expect(document.nodes.map((node) => node.name)).toEqual([
      'voter-1',
      'voter-2',
      'voter-3',
      'west-1',
    ]);
    await using client = await connect({
      addresses: document.nodes.map((node) => node.grpcAddress),
      insecurePlaintext: true,
      token: readFileSync(document.rootTokenFile, 'utf8').trim(),
    });
    const { members } = await client.call('cluster.status', {});
    expect(members.map((one) => one.sealState)).toEqual(Array(4).fill('unsealed'));

    await leadershipStaysWithWhoIsOpen(document, client);

    // On what exists: a flag that cannot be followed changes nothing.
    const refused = await ended(run(['up', '--detach', '--seal', 'dev', '--data', data]));
    expect(refused).toMatchObject({ status: 1, err: expect.stringContaining('--seal') });
  });

  test('stops what it started at the first Ctrl-C, and goes on from there the next time', async () => {
    const port = await basePort();
    const args = ['--seal', 'dev', '--voters', '2', '--no-replica', '--base-port', port];
    const first = run(['up', '--detach', ...args, '--data', data]);
    // The founder is there, the second voter is being let in.
    await expect.poll(() => first.text.err, { timeout: QUICK_MS }).toContain('Joining voter-2');
    first.child.kill('SIGINT');
    expect(await ended(first)).toMatchObject({ status: 130 });
    expect(nodeProcesses()).toEqual([]);

    const second = await ended(run(['up', '--detach', '--data', data, '--format', 'json']));
    expect(second).toMatchObject({ status: 0 });
    expect((JSON.parse(second.out) as LocalDocument).nodes.map((one) => one.role).sort()).toEqual([
      'follower',
      'leader',
    ]);
  });

  test('begins anew when a first start was killed before its root token was kept', async () => {
    const port = await basePort();
    const args = ['--seal', 'dev', '--voters', '1', '--no-replica', '--base-port', port];
    expect((await ended(run(['up', '--detach', ...args, '--data', data]))).status).toBe(0);
    await ended(run(['down', '--data', data]));
    rmSync(join(data, 'root-token'));
    // As it is for a user who keeps the token elsewhere: nothing is taken away.
    const kept = await ended(run(['up', '--detach', '--data', data]));
    expect(kept).toMatchObject({ status: 1, err: expect.stringContaining('put it back') });
    expect(nodeProcesses()).toEqual([]);
    // As it is after a kill in the middle.
    writeFileSync(join(data, 'founding'), '');
    const anew = await ended(run(['up', '--detach', '--data', data]));
    expect(anew).toMatchObject({ status: 0, err: expect.stringContaining('beginning anew') });
  });

  test.runIf(softHsmInstalled)(
    'unseals a founder quickly that was killed as soon as the cluster was there',
    async () => {
      const args = ['--seal', 'pkcs11', '--no-replica', '--base-port', await basePort()];
      const first = await ended(
        run(['up', '--detach', ...args, '--data', data, '--format', 'json']),
      );
      expect(first).toMatchObject({ status: 0 });
      const [founder] = (JSON.parse(first.out) as LocalDocument).nodes;
      process.kill(founder?.pid ?? 0, 'SIGKILL');
      const began = performance.now();
      expect(await ended(run(['up', '--detach', '--data', data]))).toMatchObject({ status: 0 });
      expect(performance.now() - began).toBeLessThan(QUICK_MS);
    },
  );
});
