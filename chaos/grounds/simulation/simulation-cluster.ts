import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, hasCode, InvariantError, SeededRandom } from '../../../src/lib/index.ts';
import type { NodeId } from '../../../src/raft/index.ts';
import type { ClusterShape, PlannedNode } from '../../scenario/scenario.ts';
import { Checker } from '../../simulation/checker.ts';
import { Scheduler } from '../../simulation/scheduler.ts';
import type { DiskFate, DiskFates } from '../../simulation/simulated-disk.ts';
import { SimulatedNetwork } from '../../simulation/simulated-network.ts';
import { type NodeWorld, SimulatedNode } from '../../simulation/simulated-node.ts';
import type { ClientWishes, Cluster, VaultClient } from '../ground.ts';
import type { Levers } from '../levers.ts';
import { type NodeObservation, type Observation, observationOf } from '../observation.ts';
import { KvHistory } from './kv-history.ts';
import { ClockLayers, ProcessSwitch, SyncLayers } from './node-levers.ts';
import { SimulatedClient } from './simulated-client.ts';
import { SimulatedLinks } from './simulated-links.ts';
import { SimulatedVault } from './simulated-vault.ts';

/** As in a cluster of one room. */
const NETWORK = { delayMsMean: 0.4, lossPerMille: 0, duplicatePerMille: 0, encodes: true };
const DISK_MS_MEAN = 0.3;
/** How far simulated time may run between two looks at whether the run is over. */
const STRIDE_MS = 250;

/** Production Raft drivers on simulated clocks, disks and network: all of it from one seed. */
export class SimulationCluster implements Cluster {
  readonly nodes: readonly PlannedNode[];
  readonly clock: Clock;
  readonly levers: Levers;
  readonly #scheduler = new Scheduler();
  readonly #checker = new Checker();
  readonly #kv = new KvHistory();
  readonly #random: SeededRandom;
  readonly #machines = new Map<string, SimulatedNode>();
  readonly #links: SimulatedLinks;
  readonly #syncs = new SyncLayers();
  readonly #clocks: ClockLayers;
  readonly #switches: ProcessSwitch;
  readonly #vault: SimulatedVault;
  #clients = 0;
  #broken: string | undefined;
  #isOver = false;
  #pumping: Promise<void> = Promise.resolve();

  constructor(shape: ClusterShape, seed: number) {
    this.nodes = shape.nodes;
    this.#random = new SeededRandom(seed);
    const names = shape.nodes.map((node) => node.name);
    const nameOf = (id: NodeId) => names[id - 1] ?? '';
    const regionOf = (name: string) => shape.nodes.find((node) => node.name === name)?.region;
    this.#links = new SimulatedLinks(names, (from, to) =>
      regionOf(from) === regionOf(to) ? undefined : shape.betweenRegions,
    );
    const network = new SimulatedNetwork(
      this.#scheduler,
      this.#random,
      NETWORK,
      (message) => this.#guard(() => this.#checker.sent(message)),
      (from, to) => this.#links.of(nameOf(from), nameOf(to)),
    );
    const voters = names.map((_, at) => (at + 1) as NodeId);
    const bootstrap = { voters, learners: [], removed: [] };
    for (const [at, name] of names.entries()) {
      const world = this.#worldOf(name, network);
      this.#machines.set(name, new SimulatedNode((at + 1) as NodeId, world, bootstrap));
    }
    const machines = this.#machines;
    this.#clocks = new ClockLayers(machines);
    this.#switches = new ProcessSwitch(machines, this.#scheduler);
    this.clock = {
      monotonicMs: () => this.#scheduler.nowMs,
      wallMs: () => 1.7e12 + this.#scheduler.nowMs,
      after: (delayMs, callback) => {
        let isCancelled = false;
        this.#scheduler.after(delayMs, () => {
          if (!isCancelled) callback();
        });
        return {
          cancel: () => {
            isCancelled = true;
          },
        };
      },
    };
    this.levers = {
      process: this.#switches,
      network: this.#links,
      clock: this.#clocks,
      disk: this.#syncs,
    };
    this.#vault = new SimulatedVault({
      scheduler: this.#scheduler,
      checker: this.#checker,
      kv: this.#kv,
      nodes: machines,
      guard: (check) => this.#guard(check),
    });
  }

  /** Lets time run, in the background, until the cluster is disposed. */
  begin(): void {
    for (const node of this.#machines.values()) node.start();
    this.#pumping = this.#pump();
  }

  client(wishes: ClientWishes = {}): Promise<VaultClient> {
    const target = wishes.prefer ?? this.nodes[0]?.name ?? '';
    this.#clients += 1;
    return Promise.resolve(new SimulatedClient(this.#vault, `c${this.#clients}`, target));
  }

  observe(): Promise<Observation> {
    const seen = this.nodes.map(({ name }) => this.#observeNode(name));
    const commit = Math.max(0, ...seen.map((node) => node.commit));
    return Promise.resolve(
      observationOf(seen.map((node) => ({ ...node, lagEntries: commit - node.applied }))),
    );
  }

  heal(): Promise<void> {
    this.#links.liftAll();
    this.#syncs.liftAll();
    this.#clocks.liftAll();
    return this.#switches.healAll();
  }

  broken(): string | undefined {
    return this.#broken;
  }

  /** There are no logs: a replay of the seed shows everything again. */
  async collect(folder: string): Promise<void> {
    await writeFile(
      join(folder, '..', 'simulation.txt'),
      `${this.#scheduler.eventsRun} events in ${Math.round(this.#scheduler.nowMs)} simulated ms\n`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#pumping;
  }

  async #pump(): Promise<void> {
    try {
      while (!this.#isOver)
        await this.#scheduler.runUntil(this.#scheduler.nowMs + STRIDE_MS, () => this.#isOver);
    } catch (error) {
      this.#broken ??= error instanceof Error ? error.message : String(error);
    }
  }

  #worldOf(name: string, network: SimulatedNetwork): NodeWorld {
    const checker = this.#checker;
    return {
      scheduler: this.#scheduler,
      random: this.#random,
      // The product's own pace, so that what is measured here means something.
      tuning: { logKeepBytes: 64 * 1024, persistBytes: 32 * 1024, segmentBytesMax: 32 * 1024 },
      transportOf: (node, time, incarnation) => network.transportOf(node, time, incarnation),
      diskFate: (operation) => this.#diskFate(name, operation),
      skewPercent: 0,
      onApply: (node, entry, digest) => {
        this.#kv.applied(entry);
        this.#guard(() => checker.applied(node, entry, digest));
      },
      onStarted: ({ raft }) => {
        if (raft !== undefined) this.#guard(() => checker.started(raft.status()));
      },
      onStatus: ({ raft }) => {
        if (raft !== undefined) this.#guard(() => checker.status(raft.status()));
      },
      onEnded: (_node, because) => {
        const isExpected = hasCode(because, 'raft.disk-failed', 'raft.stopped');
        if (because instanceof InvariantError || !isExpected)
          this.#broken ??= `${name} ended: ${because instanceof Error ? because.message : String(because)}`;
      },
    };
  }

  #diskFate(name: string, operation: Parameters<DiskFates['next']>[0]): DiskFate {
    const delayMs = -Math.log(1 - this.#random.float()) * DISK_MS_MEAN;
    if (operation !== 'sync') return { delayMs };
    const { fails, slowerMs } = this.#syncs.of(name);
    return fails ? { delayMs, error: 'EIO' } : { delayMs: delayMs + slowerMs };
  }

  #observeNode(name: string): NodeObservation {
    const node = this.#machines.get(name);
    const status = node?.raft?.status();
    const nothing = { role: 'unknown', term: 0, commit: 0, applied: 0, lagMs: 0, lagEntries: 0 };
    if (node === undefined || status === undefined || !node.answers)
      return { name, up: false, seal: 'unknown', ...nothing };
    const { role, term, commit, applied } = status;
    return {
      name,
      up: true,
      role,
      term,
      commit,
      applied,
      lagMs: 0,
      lagEntries: 0,
      seal: 'unsealed',
    };
  }

  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#broken ??= error instanceof Error ? error.message : String(error);
    }
  }
}
