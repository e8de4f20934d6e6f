import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A running 3-node etcd on loopback, in plain text, on disks of its own. */
export interface EtcdCluster extends AsyncDisposable {
  /** The leader's first: all load goes where it costs least. */
  readonly urls: readonly string[];
  readonly pids: readonly number[];
}

/** @throws Error when no etcd is installed (`etcd-server` in Debian) or it does not come up. */
export async function startEtcd(basePort: number): Promise<EtcdCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-bench-etcd-'));
  const names = ['e1', 'e2', 'e3'];
  const clientUrl = (i: number) => `http://127.0.0.1:${basePort + 2 * i}`;
  const peerUrl = (i: number) => `http://127.0.0.1:${basePort + 2 * i + 1}`;
  const initial = names.map((name, i) => `${name}=${peerUrl(i)}`).join(',');
  const children = names.map((name, i) =>
    // prettier-ignore
    spawn(
      'etcd',
      [
        '--name',
        name,
        '--data-dir',
        join(folder, name),
        '--listen-client-urls',
        clientUrl(i),
        '--advertise-client-urls',
        clientUrl(i),
        '--listen-peer-urls',
        peerUrl(i),
        '--initial-advertise-peer-urls',
        peerUrl(i),
        '--initial-cluster',
        initial,
        '--initial-cluster-state',
        'new',
        '--quota-backend-bytes',
        '8000000000',
      ],
      { stdio: 'ignore' },
    ),
  );
  const stop = async () => {
    await Promise.all(children.map(endProcess));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await Promise.all(names.map((_, i) => untilListening(basePort + 2 * i)));
    const leader = await findLeader(names.map((_, i) => clientUrl(i)));
    const urls = names.map((_, i) => clientUrl(i));
    return {
      urls: [leader, ...urls.filter((url) => url !== leader)],
      pids: children.map((child) => child.pid ?? 0),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function findLeader(urls: readonly string[]): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt++) {
    for (const url of urls) {
      const status = await statusOf(url);
      if (status !== undefined && status.leader !== '0' && status.leader === status.member)
        return url;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('etcd has no leader after 10 s');
}

async function statusOf(url: string): Promise<{ leader: string; member: string } | undefined> {
  try {
    const response = await fetch(`${url}/v3/maintenance/status`, { method: 'POST', body: '{}' });
    const body = (await response.json()) as { leader?: string; header?: { member_id?: string } };
    return { leader: body.leader ?? '0', member: body.header?.member_id ?? '' };
  } catch {
    return undefined;
  }
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Nothing listens on port ${port} after 10 s; is etcd-server installed?`);
}

function endProcess(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.pid === undefined) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
