import { copyFile, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type StrongroomClient } from '../../../src/client/index.ts';
import { SeededRandom } from '../../../src/lib/index.ts';
import type { NodeConfigInput } from '../../../src/server/config/index.ts';
import { empty } from './data-copies.ts';
import { eventually } from './eventually.ts';
import { freePorts } from './free-ports.ts';
import { NodeProcess } from './node-process.ts';
import type { Site } from './site.ts';
import { TcpProxy } from './tcp-proxy.ts';

type Slots = NodeConfigInput['seal']['slots'];

export interface LocalClusterOptions {
  readonly voters: number;
  /** Region of each read replica. */
  readonly replicas?: readonly string[];
  /** Put a proxy on every link between two nodes, so that it can be cut. */
  readonly proxied?: boolean;
  /** The embedded development seal when absent; a function is given the cluster's folder. */
  readonly slots?: Slots | ((folder: string) => Promise<Slots>);
  readonly environment?: Readonly<Record<string, string>>;
  readonly config?: Partial<NodeConfigInput>;
  /** In the order of joining, voters first; n1, n2 and so on when absent. */
  readonly names?: readonly string[];
  /** Of the voters, in their order; all "local" when absent. */
  readonly voterRegions?: readonly string[];
  /** Told of the cluster's folder before anything is started in it. */
  readonly created?: (folder: string) => void | Promise<void>;
  /** When it is disposed: all processes have ended, and the folder is still there. */
  readonly ended?: () => Promise<void>;
  /** What one node is to have of its own, asked for before it is started for the first time. */
  readonly equip?: (node: {
    readonly name: string;
    readonly dataDir: string;
  }) => Promise<Equipment>;
  /** What the proxies' losses and delays are drawn from. */
  readonly seed?: number;
  /** The main module that the nodes run; that of this build when absent. */
  readonly program?: string | undefined;
  /** Where the nodes live; processes on loopback when absent. */
  readonly site?: Site;
}

/** What stands between a node and the machine. */
export interface Equipment {
  readonly environment?: Readonly<Record<string, string>>;
  readonly slots?: Slots;
}

interface NodePorts {
  readonly api: number;
  readonly peer: number;
  readonly metrics: number;
}

const PORTS_A_NODE = 3;

function portsOf(ports: readonly number[], at: number): NodePorts {
  const [api, peer, metrics] = ports.slice(at * PORTS_A_NODE, (at + 1) * PORTS_A_NODE);
  if (api === undefined || peer === undefined || metrics === undefined) {
    throw new Error(`Too few ports for node ${at + 1}`);
  }
  return { api, peer, metrics };
}

/** A real cluster of processes on loopback, in a folder of its own that goes when it is disposed. */
export class LocalCluster implements AsyncDisposable {
  readonly folder: string;
  readonly nodes: NodeProcess[] = [];
  rootToken = '';
  readonly #options: LocalClusterOptions;
  readonly #links = new Map<string, TcpProxy>();
  readonly #ports: NodePorts[];
  readonly #clients: StrongroomClient[] = [];
  readonly #configs = new Map<NodeProcess, NodeConfigInput>();
  readonly #removed = new Set<NodeProcess>();
  readonly #random: SeededRandom;
  #slots: Slots = [];

  private constructor(folder: string, options: LocalClusterOptions, ports: NodePorts[]) {
    this.folder = folder;
    this.#options = options;
    this.#ports = ports;
    this.#random = new SeededRandom(options.seed ?? 1);
  }

  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'strongroom-cluster-')));
    const count = options.voters + (options.replicas?.length ?? 0);
    const isHere = options.site === undefined;
    const ports = await freePorts(isHere ? count * PORTS_A_NODE : 0);
    const cluster = new LocalCluster(
      folder,
      options,
      isHere ? Array.from({ length: count }, (_, at) => portsOf(ports, at)) : [],
    );
    try {
      await cluster.#startAll();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** The main module that its nodes run; undefined for that of this build. */
  get program(): string | undefined {
    return this.#options.program;
  }

  /** Of every node that has none of its own. */
  get slots(): Slots {
    return this.#slots;
  }

  get caFile(): string {
    return join(this.folder, 'ca.pem');
  }

  /** Of the members; one that was removed has none. */
  get addresses(): readonly string[] {
    return this.nodes
      .filter((node) => !this.#removed.has(node))
      .map((node) => node.ready.apiAddress);
  }

  /** The node with this id: ids are given in order of joining, from 1. */
  node(id: number): NodeProcess {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`There is no node ${id}`);
    return node;
  }

  /** A client with the root token (or another), closed with the cluster. */
  async client(
    options: {
      readonly token?: string;
      readonly addresses?: readonly string[];
      readonly region?: string;
    } = {},
  ): Promise<StrongroomClient> {
    const client = await connect({
      addresses: options.addresses ?? this.addresses,
      ca: await readFile(this.caFile, 'utf8'),
      token: options.token ?? this.rootToken,
      region: options.region,
    });
    this.#clients.push(client);
    return client;
  }

  /** What one node goes through to reach another. Only of a proxied cluster. */
  link(from: number, to: number): TcpProxy {
    const link = this.#links.get(`${from}-${to}`);
    if (link === undefined) throw new Error(`No proxy from ${from} to ${to}`);
    return link;
  }

  /** Cuts everything between `side` and the rest, both ways. */
  partition(side: readonly number[]): void {
    for (const [name, link] of this.#links) {
      const [from = 0, to = 0] = name.split('-').map(Number);
      if (side.includes(from) !== side.includes(to)) link.set({ kind: 'cut' });
    }
  }

  heal(): void {
    for (const link of this.#links.values()) link.set({ kind: 'pass' });
  }

  async #startAll(): Promise<void> {
    await this.#options.created?.(this.folder);
    const { voters, replicas = [] } = this.#options;
    const { slots } = this.#options;
    this.#slots = (typeof slots === 'function' ? await slots(this.folder) : slots) ?? [
      { name: 'dev', kind: 'dev', path: `${this.folder}/dev-seal.key` },
    ];
    const regions = Array.from({ length: voters + replicas.length }, (_, at) =>
      at < voters ? this.#voterRegion(at + 1) : (replicas[at - voters] ?? 'west'),
    );
    await this.#makeLinks(regions.length);
    await this.#options.site?.prepare(
      regions.map((region, at) => ({ name: this.#nameOf(at + 1), region })),
    );
    const first = await this.#add(1, regions[0] ?? 'local', 'voter', undefined);
    // A copy: the first node may lose its disk, or leave.
    await copyFile(join(first.dataDir, 'tls', 'ca.pem'), this.caFile);
    const client = await this.client();
    const initialised = await client.call('seal.init', {});
    this.rootToken = String(initialised['rootToken']);
    const root = await this.client();
    for (let id = 2; id <= regions.length; id++) {
      const region = regions[id - 1] ?? 'local';
      const kind = id <= voters ? 'voter' : 'replica';
      const answer = await root.call('cluster.createJoinToken', { kind, region, ttlMs: 60_000 });
      await this.#add(id, region, kind, {
        token: String(answer['joinToken']),
        address: first.ready.apiAddress,
      });
    }
    await this.untilVoters(voters);
  }

  /**
   * Starts one more node, with a join token of this cluster.
   * @throws Error with the end of its log when it is not let in.
   */
  async join(options: {
    readonly token: string;
    readonly kind?: 'voter' | 'replica';
    readonly region?: string;
  }): Promise<NodeProcess> {
    const id = this.nodes.length + 1;
    const { kind = 'voter', region = 'local', token } = options;
    if (this.#options.site === undefined)
      this.#ports.push(portsOf(await freePorts(PORTS_A_NODE), 0));
    else await this.#options.site.prepare([{ name: this.#nameOf(id), region }]);
    const running = this.nodes.find((node) => node.running && !this.#removed.has(node));
    const address = (running ?? this.node(1)).ready.apiAddress;
    return this.#add(id, region, kind, { token, address });
  }

  /** The seal's slots in the configuration that the node reads at its next start. */
  async configureSlots(node: NodeProcess, slots: Slots): Promise<void> {
    const config = this.#configs.get(node);
    if (config === undefined) throw new Error(`${node.name} is not of this cluster`);
    const changed = { ...config, seal: { slots } };
    await node.configure(changed);
    this.#configs.set(node, changed);
  }

  /** Removes a member from the cluster and ends it. One that was removed already is no error. */
  async remove(node: NodeProcess): Promise<void> {
    if (this.#removed.has(node)) return;
    await this.#removeMember(node.name);
    this.#removed.add(node);
    await node.stop('SIGKILL');
  }

  /**
   * A stopped node gets an empty disk and joins under its name, in place of what it was.
   * @throws Error with the end of its log when it is not let in.
   */
  async replace(node: NodeProcess): Promise<void> {
    const config = this.#configs.get(node);
    if (config === undefined || node.running) throw new Error(`${node.name} is not stopped`);
    const { bootstrap: _, kind = 'voter', region = 'local', ...rest } = config;
    await this.#removeMember(node.name);
    await empty(node.dataDir);
    const client = await this.client();
    const answer = await client.call('cluster.createJoinToken', { kind, region, ttlMs: 60_000 });
    const tokenFile = join(this.folder, `${node.name}.join-token`);
    await writeFile(tokenFile, answer.joinToken, { mode: 0o600 });
    const others = this.nodes.filter((one) => one !== node && one.running);
    const addresses = others.map((one) => one.ready.apiAddress);
    const fresh = { ...rest, kind, region, join: { tokenFile, addresses, caFile: this.caFile } };
    await node.configure(fresh);
    this.#configs.set(node, fresh);
    await node.start();
  }

  async #removeMember(name: string): Promise<void> {
    const client = await this.client();
    const { members } = await client.call('cluster.status', {});
    const member = members.find((one) => one.name === name);
    if (member !== undefined) await client.call('cluster.remove', { node: member.node });
  }

  /** Resolves when the leader counts `count` voters and every member is healthy. */
  async untilVoters(count: number): Promise<void> {
    const client = await this.client();
    await eventually(async () => {
      const status = await client.call('cluster.status', {});
      const { members } = status;
      const voting = members.filter((one) => one.kind === 'voter' && one.role !== 'learner');
      return voting.length === count && members.every((one) => one.healthy);
    }, `${count} healthy voters`);
  }

  async #makeLinks(count: number): Promise<void> {
    if (this.#options.proxied !== true) return;
    for (let from = 1; from <= count; from++) {
      for (let to = 1; to <= count; to++) {
        if (from === to) continue;
        const port = this.#portsOf(to).peer;
        this.#links.set(`${from}-${to}`, await TcpProxy.listen({ port }, 0, this.#nextRandom()));
      }
    }
  }

  async #add(
    id: number,
    region: string,
    kind: 'voter' | 'replica',
    join: { readonly token: string; readonly address: string } | undefined,
  ): Promise<NodeProcess> {
    const name = this.#nameOf(id);
    const dataDir = `${this.folder}/${name}`;
    const tokenFile = `${this.folder}/${name}.join-token`;
    const equipment = (await this.#options.equip?.({ name, dataDir })) ?? {};
    if (join !== undefined) await writeFile(tokenFile, join.token, { mode: 0o600 });
    const { site } = this.#options;
    const config: NodeConfigInput = {
      name,
      region,
      kind,
      dataDir,
      ...(site?.addressesOf(name) ?? this.#addressesOnLoopback(id)),
      seal: { slots: equipment.slots ?? this.#slots },
      audit: { files: [{ name: 'file', path: `${dataDir}/audit.log` }] },
      ...(join === undefined
        ? { bootstrap: true }
        : { join: { tokenFile, addresses: [join.address], caFile: this.caFile } }),
      ...this.#options.config,
    };
    const environment = { ...this.#options.environment, ...equipment.environment };
    const { program } = this.#options;
    const launch = site?.launch(name);
    const node = await NodeProcess.create(this.folder, config, environment, { program, launch });
    this.#configs.set(node, config);
    this.nodes.push(node);
    await node.start();
    return node;
  }

  #addressesOnLoopback(id: number) {
    const { api, peer, metrics } = this.#portsOf(id);
    return {
      api: { listen: `127.0.0.1:${api}` },
      peer: { listen: `127.0.0.1:${peer}`, routes: this.#routesFrom(id) },
      metrics: { listen: `127.0.0.1:${metrics}` },
    };
  }

  /** By name: a node that gets an empty disk joins under another number. */
  #routesFrom(id: number): Readonly<Record<string, string>> {
    const routes: Record<string, string> = {};
    for (const [link, proxy] of this.#links) {
      const [from, to] = link.split('-').map(Number);
      if (from === id && to !== undefined) routes[this.#nameOf(to)] = `127.0.0.1:${proxy.port}`;
    }
    return routes;
  }

  #nameOf(id: number): string {
    return this.#options.names?.[id - 1] ?? `n${id}`;
  }

  #nextRandom(): SeededRandom {
    return new SeededRandom(this.#random.below(2 ** 32));
  }

  #voterRegion(id: number): string {
    return this.#options.voterRegions?.[id - 1] ?? 'local';
  }

  #portsOf(id: number): NodePorts {
    const ports = this.#ports[id - 1];
    if (ports === undefined) throw new Error(`No ports were taken for node ${id}`);
    return ports;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await Promise.all(this.nodes.map((node) => node.signal('SIGCONT')));
    await Promise.all(this.nodes.map((node) => node.stop('SIGKILL')));
    await Promise.all([...this.#links.values()].map((link) => link[Symbol.asyncDispose]()));
    await this.#options.ended?.();
    await rm(this.folder, { recursive: true, force: true });
  }
}
