import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StrongroomClient } from '../../../src/client/index.ts';
import type { HealPlan } from '../../heal/heal-plan.ts';
import type { PlannedNode } from '../../scenario/scenario.ts';
import type { ClientWishes, Cluster, VaultClient } from '../ground.ts';
import type { Levers } from '../levers.ts';
import { machineClock } from '../machine-clock.ts';
import { type NodeObservation, type Observation, observationOf } from '../observation.ts';
import { observeNode } from '../observe-node.ts';
import type { Apparatus } from './apparatus.ts';
import type { ClusterNetwork } from './cluster-network.ts';
import { DiskFaults } from './disk-faults.ts';
import type { LocalCluster } from './local-cluster.ts';
import { Membership } from './membership.ts';
import type { NodeProcess } from './node-process.ts';
import { processLever } from './process-lever.ts';

interface ClusterParts {
  readonly local: LocalCluster;
  readonly network: ClusterNetwork;
  readonly apparatus: Apparatus;
  readonly healPlan: HealPlan;
  /** How a second cluster is started; absent where there is room for one only. */
  readonly elsewhere?: NonNullable<Cluster['elsewhere']>;
}

/** A cluster of processes whose files are on this machine, as the runner and the faults see it. */
export class ProcessCluster implements Cluster {
  readonly clock = machineClock;
  readonly nodes: readonly PlannedNode[];
  readonly levers: Levers;
  readonly elsewhere?: NonNullable<Cluster['elsewhere']>;
  readonly #local: LocalCluster;
  readonly #network: ClusterNetwork;
  readonly #healPlan: HealPlan;
  readonly #apparatus: Apparatus;
  readonly #membership: Membership;
  #observer: StrongroomClient | undefined;

  constructor(nodes: readonly PlannedNode[], parts: ClusterParts) {
    const { local, network, apparatus, healPlan, elsewhere } = parts;
    this.nodes = nodes;
    if (elsewhere !== undefined) this.elsewhere = elsewhere;
    this.#local = local;
    this.#healPlan = healPlan;
    this.#network = network;
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
    await this.#network.liftFaults();
    await this.#apparatus.heal();
    const nodes = this.nodes.map((node) => this.#node(node.name));
    await Promise.all(nodes.map((node) => node.signal('SIGCONT')));
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
