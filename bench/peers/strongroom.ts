import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect, type StrongroomClient } from '../../src/client/index.ts';

const exec = promisify(execFile);
const cli = new URL('../../dist/cli/main.js', import.meta.url).pathname;

export interface BenchNode {
  readonly id: number;
  readonly role: string;
  readonly grpcAddress: string;
  readonly pid: number;
  readonly dataDir: string;
}

/** A running local cluster with encryption, policy and audit on; clients speak plain text to it. */
export interface StrongroomCluster extends AsyncDisposable {
  readonly nodes: readonly BenchNode[];
  readonly token: string;
  /** Knows all voters, and holds the root token. */
  readonly client: StrongroomClient;
  readonly pids: readonly number[];
  readonly replicas: readonly BenchNode[];
  /** The present leader, asked afresh. */
  leader(): Promise<BenchNode>;
  /** Starts what was killed. */
  restart(): Promise<void>;
}

/** @throws Error when `strongroom up` fails; its message is inside. */
export async function startStrongroom(options: {
  readonly basePort: number;
  readonly replicas: number;
}): Promise<StrongroomCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-bench-'));
  const data = join(folder, 'data');
  const up = async () => {
    const replicas =
      options.replicas === 0 ? ['--no-replicas'] : ['--replica', `west=${options.replicas}`];
    const { stdout } = await exec(
      process.execPath,
      [
        cli,
        'up',
        '--detach',
        '--format',
        'json',
        '--data',
        data,
        '--base-port',
        String(options.basePort),
        '--insecure-plaintext',
        ...replicas,
      ],
      { maxBuffer: 16 << 20 },
    );
    return JSON.parse(stdout) as { nodes: BenchNode[]; rootTokenFile: string };
  };
  const stop = async () => {
    await exec(process.execPath, [cli, 'down', '--data', data]).catch(() => {});
    await rm(folder, { recursive: true, force: true });
  };
  let document = await up().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const token = (await readFile(document.rootTokenFile, 'utf8')).trim();
  const client = await connect({
    addresses: document.nodes
      .filter((node) => node.role !== 'replica')
      .map((node) => `http://${node.grpcAddress}`),
    token,
  });
  return {
    get nodes() {
      return document.nodes;
    },
    get pids() {
      return document.nodes.map((node) => node.pid);
    },
    get replicas() {
      return document.nodes.filter((node) => node.role === 'replica');
    },
    token,
    client,
    async leader() {
      const { members } = await client.call('cluster.status', {});
      const leader = (members as readonly { node: number; role: string }[]).find(
        (member) => member.role === 'leader',
      );
      const node = document.nodes.find((one) => one.id === leader?.node);
      if (node === undefined) throw new Error('The leader is not one of the local nodes');
      return node;
    },
    async restart() {
      document = await up();
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await stop();
    },
  };
}
