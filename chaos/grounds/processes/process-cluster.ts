import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StrongroomClient } from '../../../src/client/index.ts';
import type { HealPlan } from '../../heal/heal-plan.ts';
import type { ClusterShape, PlannedNode } from '../../scenario/scenario.ts';
import type { ClientWishes, Cluster, Elsewhere, VaultClient } from '../ground.ts';
import type { Levers, LinkChange } from '../levers.ts';
import { machineClock } from '../machine-clock.ts';
import { type NodeObservation, type Observation, observationOf } from '../observation.ts';
import { observeNode } from '../observe-node.ts';
import type { Apparatus } from './apparatus.ts';
import { DiskFaults } from './disk-faults.ts';
import { startElsewhere } from './elsewhere.ts';
import type { LocalCluster } from './local-cluster.ts';
import { Membership } from './membership.ts';
import type { NodeProcess } from './node-process.ts';
import { processLever } from './process-lever.ts';
import { groundLayer, ProxiedNetwork } from './proxied-network.ts';

/** A cluster of local processes, as the runner and the faults see it. */
export class ProcessCluster implements Cluster {
  readonly clock = machineClock;
  readonly nodes: readonly PlannedNode[];
  readonly levers: Levers;
  readonly #local: LocalCluster;
  readonly #shape: ClusterShape;
  readonly #network: ProxiedNetwork;
  readonly #healPlan: HealPlan;
  readonly #apparatus: Apparatus;
  readonly #membership: Membership;
  #observer: StrongroomClient | undefined;

  constructor(shape: ClusterShape, local: LocalCluster, apparatus: Apparatus, healPlan: HealPlan) {
    this.nodes = shape.nodes;
    this.#shape = shape;
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

  elsewhere(): Promise<Elsewhere> {
    return startElsewhere(this.#shape, this.#local, this.#apparatus, this.#healPlan);
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

  #observeNode(observer: StrongroomClient, name: string): Promise<NodeObservation> {
    const process = this.#node(name);
    return observeNode(observer, name, process.running ? process.ready.apiAddress : undefined);
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
