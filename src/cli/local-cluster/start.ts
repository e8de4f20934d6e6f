import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type StrongroomClient } from '../../client/index.ts';
import {
  caFileOf,
  type LocalCluster,
  type LocalNode,
  type LocalOptions,
  layOutCluster,
  readLocalCluster,
  rootTokenFile,
  sharesFile,
} from './layout.ts';
import { pause, type Ready, startNodeProcess, stopNodeProcess } from './processes.ts';

const SHARES = { shares: 3, threshold: 2 };
const JOIN_TTL_MS = 10 * 60_000;
const SETTLE_MS = 60_000;
const LOOK_MS = 100;
const CALL_MS = 30_000;

/** What `strongroom up --format json` prints. */
export interface LocalDocument {
  readonly clusterId: string;
  readonly nodes: readonly {
    readonly id: number;
    readonly name: string;
    readonly region: string;
    readonly role: string;
    readonly kind: string;
    readonly grpcAddress: string;
    readonly metricsAddress: string;
    readonly pid: number;
    readonly dataDir: string;
  }[];
  readonly caFile: string;
  readonly rootTokenFile: string;
}

/**
 * Brings the local cluster up: laid out and initialised at the first time, as it was left at every
 * later one.
 */
export async function startCluster(
  options: LocalOptions,
  parts: {
    /** The command that runs this program. */
    readonly program: readonly string[];
    readonly detached: boolean;
    readonly say: (text: string) => void;
  },
): Promise<{ readonly cluster: LocalCluster; readonly document: LocalDocument }> {
  const before = readLocalCluster(options.data);
  const cluster = before ?? (await layOutCluster(options));
  const start = (node: LocalNode) => startNodeProcess(node, parts.program, parts.detached);
  const isNew = !existsSync(rootTokenFile(options.data));
  const [founder, ...others] = cluster.nodes;
  if (founder === undefined) throw new Error('A cluster has at least one node');
  const ready = new Map<LocalNode, Ready>();
  if (isNew) {
    parts.say(`Founding a cluster in ${options.data}`);
    ready.set(founder, (await start(founder)).ready);
    await initialise(cluster);
    await using client = await clientOf(cluster);
    for (const node of others) {
      parts.say(`Joining ${node.name} (${node.kind}, ${node.region})`);
      if (!existsSync(node.dataDir)) await writeJoinToken(client, node);
      ready.set(node, (await start(node)).ready);
    }
  } else {
    parts.say(`Starting ${cluster.nodes.length} nodes of the cluster in ${options.data}`);
    const started = await Promise.all(
      cluster.nodes.map(async (node) => [node, await start(node)] as const),
    );
    for (const [node, one] of started) ready.set(node, one.ready);
    await unsealWithShares(cluster);
  }
  await using client = await clientOf(cluster);
  const roles = await untilSettled(client, cluster.nodes.length, cluster.options.voters);
  const [first] = ready.values();
  return {
    cluster,
    document: {
      clusterId: first?.clusterId ?? '',
      nodes: [...ready].map(([node, one]) => ({
        id: one.node,
        name: node.name,
        region: node.region,
        role: roles.get(one.node) ?? 'unknown',
        kind: node.kind,
        grpcAddress: one.apiAddress,
        metricsAddress: one.metricsAddress,
        pid: one.pid,
        dataDir: node.dataDir,
      })),
      caFile: caFileOf(options.data),
      rootTokenFile: rootTokenFile(options.data),
    },
  };
}

/** Ends all nodes, the founder last. @returns how many were running. */
export async function stopCluster(cluster: LocalCluster): Promise<number> {
  let stopped = 0;
  for (const node of [...cluster.nodes].reverse()) {
    if (await stopNodeProcess(node)) stopped++;
  }
  return stopped;
}

/** A client with the root token, to all voters. */
export async function clientOf(cluster: LocalCluster): Promise<StrongroomClient> {
  const { data, insecurePlaintext } = cluster.options;
  const tokenFile = rootTokenFile(data);
  return connect({
    addresses: cluster.nodes.filter((node) => node.kind === 'voter').map((node) => node.apiAddress),
    ...(insecurePlaintext ? { insecurePlaintext } : { ca: readFileSync(caFileOf(data), 'utf8') }),
    ...(existsSync(tokenFile) ? { token: readFileSync(tokenFile, 'utf8').trim() } : {}),
  });
}

async function initialise(cluster: LocalCluster): Promise<void> {
  const { data, seal } = cluster.options;
  await using client = await clientOf(cluster);
  const counts = seal === 'shamir' ? SHARES : {};
  const answer = await client.call('seal.init', counts, { timeoutMs: CALL_MS });
  const shares = answer['shares'] as readonly string[];
  // The shares first: a token without them could not be used after a restart.
  if (shares.length > 0) writeSecret(sharesFile(data), shares.join('\n'));
  writeSecret(rootTokenFile(data), String(answer['rootToken']));
}

async function writeJoinToken(client: StrongroomClient, node: LocalNode): Promise<void> {
  const answer = await client.call('cluster.createJoinToken', {
    kind: node.kind,
    region: node.region,
    name: node.name,
    ttlMs: JOIN_TTL_MS,
  });
  writeSecret(node.tokenFile, String(answer['joinToken']));
}

/** With a shamir seal each node is given the shares that `up` has kept. */
async function unsealWithShares(cluster: LocalCluster): Promise<void> {
  const { data, insecurePlaintext } = cluster.options;
  if (!existsSync(sharesFile(data))) return;
  const shares = readFileSync(sharesFile(data), 'utf8').trim().split('\n');
  for (const node of cluster.nodes) {
    await using client = await connect({
      addresses: [node.apiAddress],
      ...(insecurePlaintext ? { insecurePlaintext } : { ca: readFileSync(caFileOf(data), 'utf8') }),
    });
    for (const share of shares.slice(0, SHARES.threshold)) {
      await client.call('seal.unseal', { share }, { timeoutMs: CALL_MS });
    }
  }
}

/** Waits until every node is unsealed and healthy, and all voters vote. @returns roles by node id. */
async function untilSettled(
  client: StrongroomClient,
  nodes: number,
  voters: number,
): Promise<ReadonlyMap<number, string>> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const answer = await client.call('cluster.status', {}, { timeoutMs: CALL_MS });
    const members = answer['members'] as readonly {
      readonly node: number;
      readonly kind: string;
      readonly role: string;
      readonly healthy: boolean;
      readonly sealState: string;
    }[];
    const voting = members.filter((one) => one.role === 'leader' || one.role === 'follower');
    const isSettled =
      members.length === nodes &&
      voting.length === voters &&
      members.every((one) => one.healthy && one.sealState === 'unsealed');
    if (isSettled || performance.now() > deadline) {
      return new Map(members.map((one) => [one.node, one.role]));
    }
    await pause(LOOK_MS);
  }
}

function writeSecret(file: string, text: string): void {
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
}
