import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { StrongroomClient } from '../../client/index.ts';
import { clientOf } from './clients.ts';
import { initialise, writeSecret } from './found.ts';
import {
  caFileOf,
  growCluster,
  type LocalCluster,
  type LocalNode,
  type LocalOptions,
  layOutCluster,
  readLocalCluster,
  removeCluster,
  rootTokenFile,
} from './layout.ts';
import { pidOf, type Ready, startNodeProcess, stopNodeProcess } from './processes.ts';
import { untilSettled } from './settle.ts';
import { unsealWithShares } from './shares.ts';

const JOIN_TTL_MS = 10 * 60_000;
const CALL_MS = 30_000;

/** What `strongroom up` prints for programs. */
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

export interface StartParts {
  /** The command that runs this program. */
  readonly program: readonly string[];
  readonly say: (text: string) => void;
  /** Cuts the start off: what it had started is stopped, and the next one goes on from there. */
  readonly signal: AbortSignal;
}

export interface StartedCluster {
  readonly cluster: LocalCluster;
  readonly document: LocalDocument;
  /** What is not well though all nodes run; empty when everything is. */
  readonly unsettled: string;
}

/**
 * Brings the local cluster up: laid out and initialised at the first time, as it was left at every
 * later one. A start that was cut off is gone on with.
 *
 * @throws StrongroomError, with everything stopped that this call has started.
 */
export async function startCluster(
  options: LocalOptions,
  parts: StartParts,
): Promise<StartedCluster> {
  const start = new Start(parts);
  try {
    return await start.run(options);
  } catch (error) {
    await start.undo();
    throw error;
  }
}

/** Ends all nodes at the same time. @returns how many were running. */
export async function stopCluster(nodes: readonly LocalNode[]): Promise<number> {
  const stopped = await Promise.all(nodes.map(stopNodeProcess));
  return stopped.filter((wasRunning) => wasRunning).length;
}

class Start {
  readonly #parts: StartParts;
  readonly #ready = new Map<LocalNode, Ready>();
  readonly #own = new Set<LocalNode>();

  constructor(parts: StartParts) {
    this.#parts = parts;
  }

  async run(options: LocalOptions): Promise<StartedCluster> {
    const { say, signal } = this.#parts;
    const cluster = await this.#foundedCluster(options);
    const joined = cluster.nodes.filter(hasIdentity);
    if (joined.length > 1) say(`Starting ${joined.length} nodes of the cluster in ${options.data}`);
    await Promise.all(joined.map((node) => this.#start(node)));
    await Promise.all(joined.map((node) => unsealWithShares(cluster, node, signal)));
    await using client = await clientOf(cluster);
    for (const node of cluster.nodes) {
      if (!joined.includes(node)) await this.#join(cluster, client, node);
    }
    const { roles, unsettled } = await untilSettled(client, cluster, this.#parts);
    return { cluster, document: this.#document(cluster, roles), unsettled };
  }

  /** Stops what this start has started; what ran before runs on. */
  async undo(): Promise<void> {
    if (this.#own.size === 0) return;
    this.#parts.say('Stopping what was started');
    await stopCluster([...this.#own]);
  }

  /** Laid out and initialised: there is a root token, and the founder runs if that was made now. */
  async #foundedCluster(options: LocalOptions): Promise<LocalCluster> {
    const { say, signal } = this.#parts;
    const before = readLocalCluster(options.data);
    signal.throwIfAborted();
    const cluster =
      before === undefined ? await layOutCluster(options) : this.#grown(before, options);
    if (existsSync(rootTokenFile(options.data))) return cluster;
    say(
      before === undefined
        ? `Founding a cluster in ${options.data}`
        : `The first start in ${options.data} was cut off: going on with it`,
    );
    const founder = founderOf(cluster);
    await this.#start(founder);
    if ((await initialise(cluster)) === 'initialised') return cluster;
    say('It was cut off before its root token was kept, so nothing can be in it: beginning anew');
    await stopCluster(cluster.nodes);
    this.#own.clear();
    this.#ready.clear();
    removeCluster(cluster);
    return this.#foundedCluster(options);
  }

  #grown(before: LocalCluster, options: LocalOptions): LocalCluster {
    const wanted = options.voters + options.replicas.length;
    return wanted > before.nodes.length ? growCluster(before, options) : before;
  }

  async #start(node: LocalNode): Promise<void> {
    if (this.#ready.has(node)) return;
    const { program, signal } = this.#parts;
    const { ready, isOwn } = await startNodeProcess(node, program, signal);
    this.#ready.set(node, ready);
    if (isOwn) this.#own.add(node);
  }

  async #join(cluster: LocalCluster, client: StrongroomClient, node: LocalNode): Promise<void> {
    const { say, signal } = this.#parts;
    signal.throwIfAborted();
    say(`Joining ${node.name} (${node.kind}, ${node.region})`);
    if (pidOf(node) === undefined) {
      await removeGhost(client, node);
      const { kind, region, name } = node;
      const answer = await client.call('cluster.createJoinToken', {
        kind,
        region,
        name,
        ttlMs: JOIN_TTL_MS,
      });
      writeSecret(node.tokenFile, String(answer['joinToken']));
    }
    await this.#start(node);
    await unsealWithShares(cluster, node, signal);
  }

  #document(cluster: LocalCluster, roles: ReadonlyMap<number, string>): LocalDocument {
    const nodes = cluster.nodes.flatMap((node) => {
      const ready = this.#ready.get(node);
      return ready === undefined ? [] : [{ node, ready }];
    });
    return {
      clusterId: nodes[0]?.ready.clusterId ?? '',
      nodes: nodes.map(({ node, ready }) => ({
        id: ready.node,
        name: node.name,
        region: node.region,
        role: roles.get(ready.node) ?? 'unknown',
        kind: node.kind,
        grpcAddress: ready.apiAddress,
        metricsAddress: ready.metricsAddress,
        pid: ready.pid,
        dataDir: node.dataDir,
      })),
      caFile: caFileOf(cluster.options.data),
      rootTokenFile: rootTokenFile(cluster.options.data),
    };
  }
}

/** The cluster let it in, and the start was cut off before the node had written that down. */
async function removeGhost(client: StrongroomClient, node: LocalNode): Promise<void> {
  const answer = await client.call('cluster.status', {}, { timeoutMs: CALL_MS });
  const members = answer['members'] as readonly { readonly node: number; readonly name: string }[];
  const ghost = members.find((member) => member.name === node.name);
  if (ghost !== undefined) await client.call('cluster.remove', { node: ghost.node });
}

function founderOf(cluster: LocalCluster): LocalNode {
  const [founder] = cluster.nodes;
  if (founder === undefined) throw new Error('A cluster has at least one node');
  return founder;
}

function hasIdentity(node: LocalNode): boolean {
  return existsSync(join(node.dataDir, 'identity.json'));
}
