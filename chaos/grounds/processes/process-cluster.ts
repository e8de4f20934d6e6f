import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StrongroomClient } from '../../../src/client/index.ts';
import { type Clock, hasCode } from '../../../src/lib/index.ts';
import type { HealPlan } from '../../heal/heal-plan.ts';
import type { ClusterShape, PlannedNode } from '../../scenario/scenario.ts';
import type { ClientWishes, Cluster, VaultClient } from '../ground.ts';
import type { Levers, LinkChange } from '../levers.ts';
import { type NodeObservation, type Observation, observationOf } from '../observation.ts';
import type { Apparatus } from './apparatus.ts';
import { DiskFaults } from './disk-faults.ts';
import type { LocalCluster } from './local-cluster.ts';
import { Membership } from './membership.ts';
import type { NodeProcess } from './node-process.ts';
import { processLever } from './process-lever.ts';
import { groundLayer, ProxiedNetwork } from './proxied-network.ts';

/** A node gives the others a second to answer before it tells of them, and may be busy itself. */
const OBSERVE_MS = 3_000;

/** The machine's clock, with timers that keep the process alive: a run is waited for. */
const clock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** A cluster of local processes, as the runner and the faults see it. */
export class ProcessCluster implements Cluster {
  readonly clock = clock;
  readonly nodes: readonly PlannedNode[];
  readonly levers: Levers;
  readonly #local: LocalCluster;
  readonly #network: ProxiedNetwork;
  readonly #healPlan: HealPlan;
  readonly #apparatus: Apparatus;
  readonly #membership: Membership;
  #observer: StrongroomClient | undefined;

  constructor(shape: ClusterShape, local: LocalCluster, apparatus: Apparatus, healPlan: HealPlan) {
    this.nodes = shape.nodes;
    this.#local = local;
    this.#healPlan = healPlan;
    this.#network = new ProxiedNetwork((from, to) => local.link(this.#id(from), this.#id(to)));
    this.#apparatus = apparatus;
    this.#membership = new Membership(local);
    const { faults, hsm, space } = apparatus;
    const node = (name: string) => this.#node(name);
    this.levers = {
      process: processLever(node, local.folder),
      network: this.#network,
      clock: faults.clock,
      audit: faults.audit,
      disk: new DiskFaults({ local, faults, space, node }),
      membership: this.#membership,
      ...(hsm === undefined ? {} : { hsm }),
    };
    void this.#network.lay(groundLayer, linksBetweenRegions(shape));
  }

  async client(wishes: ClientWishes = {}): Promise<VaultClient> {
    const { prefer, region, token } = wishes;
    const first = prefer === undefined ? [] : [this.#node(prefer).ready.apiAddress];
    const others = this.#local.addresses.filter((address) => !first.includes(address));
    return this.#local.client({
      addresses: [...first, ...others],
      ...(region === undefined ? {} : { region }),
      ...(token === undefined ? {} : { token }),
    });
  }

  async observe(): Promise<Observation> {
    this.#observer ??= await this.#local.client();
    const observer = this.#observer;
    return observationOf(
      await Promise.all(this.nodes.map((node) => this.#observeNode(observer, node.name))),
    );
  }

  auditFiles(node: string): Promise<readonly string[]> {
    const { dataDir } = this.#membership.visitors.get(node) ?? this.#node(node);
    return Promise.resolve([join(dataDir, 'audit.log')]);
  }

  async saidSince(node: string, mark: number) {
    const log = await readFile(this.#node(node).logFile).catch(() => Buffer.alloc(0));
    return { text: log.subarray(mark).toString(), length: log.length };
  }

  visitors(): readonly string[] {
    return [...this.#membership.visitors.keys()];
  }

  async heal(): Promise<void> {
    this.#network.liftFaults();
    await this.#apparatus.heal();
    const nodes = this.nodes.map((node) => this.#node(node.name));
    for (const node of nodes) node.signal('SIGCONT');
    await Promise.all(nodes.map((node) => node.ensureStarted()));
    await this.#membership.removeAll();
  }

  async collect(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    await Promise.all(
      this.#local.nodes.map((node) => copyFile(node.logFile, join(folder, `${node.name}.log`))),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#local[Symbol.asyncDispose]();
    this.#healPlan.remove('processes');
    this.#healPlan.remove('folder');
  }

  /** What a node says of itself; one that does not answer in time is down. */
  async #observeNode(observer: StrongroomClient, name: string): Promise<NodeObservation> {
    const silent = { name, role: 'unreachable', term: 0, commit: 0, applied: 0 } as const;
    const lag = { lagMs: 0, lagEntries: 0 } as const;
    const process = this.#node(name);
    if (!process.running) return { ...silent, ...lag, up: false, seal: 'unknown' };
    try {
      const status = await observer.call(
        'cluster.status',
        {},
        {
          address: process.ready.apiAddress,
          timeoutMs: OBSERVE_MS,
          consistency: { kind: 'eventual' },
        },
      );
      const own = status.members.find((member) => member.node === status.node);
      if (own === undefined) return { ...silent, ...lag, up: true, seal: 'unknown' };
      const { role, term, commit, applied, lagMs, lagEntries, sealState } = own;
      return { name, up: true, role, term, commit, applied, lagMs, lagEntries, seal: sealState };
    } catch (error) {
      const isSealed = hasCode(error, 'seal.sealed');
      // One that may say nothing because it cannot record that it did is no node that is down.
      const up = isSealed || hasCode(error, 'audit.sink-failed');
      return { ...silent, ...lag, up, seal: isSealed ? 'sealed' : 'unknown' };
    }
  }

  /** Ids are given in order of joining, which is the order of the plan. */
  #id(name: string): number {
    return this.nodes.findIndex((node) => node.name === name) + 1;
  }

  #node(name: string): NodeProcess {
    return this.#local.node(this.#id(name));
  }
}

function linksBetweenRegions({ nodes, betweenRegions }: ClusterShape): readonly LinkChange[] {
  if (betweenRegions === undefined) return [];
  return nodes.flatMap((from) =>
    nodes
      .filter((to) => to.region !== from.region)
      .map((to) => ({ from: from.name, to: to.name, shape: betweenRegions })),
  );
}
