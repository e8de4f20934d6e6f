import { hasCode, InvariantError, SeededRandom, utf8Bytes } from '../../src/lib/index.ts';
import type { TraceEvent } from '../../src/raft/core/index.ts';
import type { Membership, MembershipChange, NodeId, RaftTuning } from '../../src/raft/index.ts';
import type { Logger } from '../../src/telemetry/index.ts';
import { Checker, Violation } from './checker.ts';
import { Scheduler } from './scheduler.ts';
import type { DiskFate, DiskFates } from './simulated-disk.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { type DataImage, type NodeWorld, SimulatedNode } from './simulated-node.ts';
import { drawSwarm, type SwarmConfig } from './swarm.ts';

/** After the faults end, everyone who is a member must agree within this much simulated time. */
const LIVENESS_MS = 60_000;
const NODES_MAX = 7;

export interface SimulationOptions {
  readonly seed: number;
  readonly config?: Partial<SwarmConfig>;
  readonly trace?: (event: TraceEvent) => void;
  readonly logger?: Logger;
}

export interface SimulationResult {
  readonly seed: number;
  readonly config: SwarmConfig;
  readonly acked: number;
  readonly reads: number;
  readonly events: number;
  readonly delivered: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Of everything that was applied: equal for equal runs. */
  readonly digest: number;
  readonly simulatedMs: number;
}

/**
 * Runs a whole cluster of production drivers in one thread, from one seed: first under faults, then
 * in peace, when it must come together again.
 *
 * @throws Violation when a promise of Raft was broken, or when it does not come together.
 */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  return await new Simulation(options).run();
}

class Simulation {
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #config: SwarmConfig;
  readonly #scheduler = new Scheduler();
  readonly #checker = new Checker();
  readonly #network: SimulatedNetwork;
  readonly #world: NodeWorld;
  readonly #nodes = new Map<NodeId, SimulatedNode>();
  readonly #faults: Record<string, number> = {};
  readonly #images = new Map<NodeId, DataImage>();
  #violation: unknown;
  #isCalm = false;
  #writes = 0;

  constructor(options: SimulationOptions) {
    this.#seed = options.seed;
    this.#random = new SeededRandom(options.seed);
    this.#config = { ...drawSwarm(options.seed, this.#random), ...options.config };
    const { config, checker } = { config: this.#config, checker: this.#checker };
    this.#network = new SimulatedNetwork(this.#scheduler, this.#random, config, (message) =>
      this.#guard(() => checker.sent(message)),
    );
    this.#world = {
      scheduler: this.#scheduler,
      random: this.#random,
      tuning: tuningOf(config),
      transportOf: (node, time, incarnation) => this.#network.transportOf(node, time, incarnation),
      diskFate: (operation) => this.#diskFate(operation),
      skewPercent: config.clockSkewPercent,
      onApply: (node, entry, digest) => this.#guard(() => checker.applied(node, entry, digest)),
      onStarted: ({ raft }) => {
        if (raft !== undefined) this.#guard(() => checker.started(raft.status()));
      },
      onStatus: (node) => this.#status(node),
      onEnded: (node, because) => this.#ended(node, because),
      ...(options.trace === undefined ? {} : { trace: options.trace }),
      ...(options.logger === undefined ? {} : { logger: options.logger }),
    };
  }

  async run(): Promise<SimulationResult> {
    const { config } = this;
    const voters = Array.from({ length: config.nodes }, (_, at) => (at + 1) as NodeId);
    const bootstrap = { voters, learners: [], removed: [] };
    for (const id of voters) this.#addNode(id, bootstrap).start();
    this.#every(config.proposeEveryMs, () => this.#propose());
    this.#every(config.readEveryMs, () => this.#read());
    this.#every(config.crashEveryMs, () => this.#crash());
    this.#every(config.partitionEveryMs, () => this.#partition());
    this.#every(config.amnesiaEveryMs, () => this.#amnesia());
    this.#every(config.pauseEveryMs, () => this.#pause());
    this.#every(config.membershipEveryMs, () => this.#changeMembership());
    this.#every(config.transferEveryMs, () => this.#transfer());
    const failed = () => this.#violation !== undefined;
    await this.#scheduler.runUntil(config.activeMs, failed);
    if (!failed()) await this.#comeTogether(failed);
    if (failed()) throw this.#violation;
    const [anyone] = this.#members();
    return {
      seed: this.#seed,
      config,
      acked: this.#checker.acked,
      reads: this.#checker.reads,
      events: this.#scheduler.eventsRun,
      delivered: this.#network.delivered,
      faults: this.#faults,
      digest: anyone?.machine?.digest ?? 0,
      simulatedMs: this.#scheduler.nowMs,
    };
  }

  private get config(): SwarmConfig {
    return this.#config;
  }

  /** The faults end; a new write must reach everyone, and everyone must hold the same. */
  async #comeTogether(failed: () => boolean): Promise<void> {
    this.#isCalm = true;
    this.#network.calm();
    let agreed = false;
    const check = () => {
      for (const node of this.#nodes.values()) if (!node.isRemoved) node.start();
      agreed = this.#isTogether();
      if (!agreed) this.#scheduler.after(200, check);
    };
    check();
    // A removed node may come back too: it must not disturb those who go on.
    await this.#scheduler.runUntil(this.#scheduler.nowMs + LIVENESS_MS, () => agreed || failed());
    if (failed()) return;
    this.#guard(() => {
      if (!agreed)
        throw new Violation(
          `No agreement ${LIVENESS_MS} ms after the last fault: ${this.#describe()}`,
        );
      for (const { id, raft, machine } of this.#members()) {
        this.#checker.finalState(id, raft?.status().applied ?? 0, machine?.digest ?? 0);
      }
    });
  }

  /** Proposes until a write is through, and everyone has it. */
  #isTogether(): boolean {
    const leader = this.#leader();
    const members = this.#members();
    if (leader?.raft === undefined) return false;
    const status = leader.raft.status();
    const at = status.applied;
    const isFresh = at > this.#checker.ackedUpTo || this.#checker.acked > this.#ackedWhenCalm;
    if (!isFresh || members.length < membersOf(status.membership).length) {
      this.#propose();
      return false;
    }
    return members.every(({ raft, machine }) => {
      const own = raft?.status();
      const isUp = own?.role === 'follower' || own?.role === 'leader';
      return isUp && own.applied === at && machine?.digest === leader.machine?.digest;
    });
  }

  #ackedWhenCalm = 0;

  /** Nodes that the present leader, or else the cluster's configuration, counts, and that run. */
  #members(): readonly SimulatedNode[] {
    const membership = this.#leader()?.raft?.status().membership;
    return [...this.#nodes.values()].filter(
      (node) =>
        node.phase === 'up' &&
        (membership === undefined || membersOf(membership).includes(node.id)),
    );
  }

  #leader(): SimulatedNode | undefined {
    let leader: SimulatedNode | undefined;
    for (const node of this.#nodes.values()) {
      const status = node.raft?.status();
      if (status?.role !== 'leader') continue;
      if (status.term > (leader?.raft?.status().term ?? 0)) leader = node;
    }
    return leader;
  }

  #addNode(id: NodeId, bootstrap?: Membership): SimulatedNode {
    const node = new SimulatedNode(id, this.#world, bootstrap);
    this.#nodes.set(id, node);
    return node;
  }

  // What clients do.

  #propose(): void {
    const node =
      this.#random.below(4) === 0 ? this.#anyNode() : (this.#leader() ?? this.#anyNode());
    if (node?.raft === undefined) return;
    this.#writes += 1;
    const size = this.#random.below(20) === 0 ? this.#random.below(3_000) : this.#random.below(40);
    const data = utf8Bytes(`${this.#writes}:${'x'.repeat(size)}`);
    const isCalm = this.#isCalm;
    node.raft.propose(data).then(
      (proposed) => {
        this.#guard(() => this.#checker.acknowledged(data, proposed));
        if (!isCalm) this.#ackedWhenCalm = this.#checker.acked;
      },
      (error: unknown) => {
        if (hasCode(error, 'raft.outcome-unknown')) return;
        this.#guard(() => this.#checker.refusedForCertain(data));
      },
    );
  }

  #read(): void {
    const raft = this.#anyNode()?.raft;
    if (raft === undefined) return;
    const before = this.#checker.ackedUpTo;
    raft.readIndex().then(
      (index) => this.#guard(() => this.#checker.read(before, index)),
      () => {
        // No leader, or the node went down: no answer is no wrong answer.
      },
    );
  }

  // What goes wrong.

  #crash(): void {
    const node = this.#anyNode();
    if (node === undefined) return;
    const { powerCutPercent, damagePercent } = this.config;
    const isPowerCut = this.#random.below(100) < powerCutPercent;
    this.#count(isPowerCut ? 'powerCuts' : 'kills');
    if (isPowerCut) node.powerCut();
    else node.kill();
    if (this.#random.below(100) < damagePercent) this.#damage(node);
    else if (node.logDisk.names().length > 0 && this.#random.below(3) === 0) this.#image(node);
    this.#scheduler.after(this.#random.below(2_500), () => node.start());
  }

  /** At most one node at a time may have lost what it promised: a majority always has it. */
  #damage(node: SimulatedNode): void {
    if (!this.#mayDamage()) return;
    const names = node.logDisk.names().filter((name) => name.endsWith('.log'));
    const kind = this.#random.below(3);
    const image = this.#images.get(node.id);
    const name = names[this.#random.below(Math.max(1, names.length))];
    if (kind === 0 && name !== undefined) {
      const bytes = node.logDisk.contentOf(name).length;
      if (bytes === 0) return;
      node.logDisk.flipBit(name, this.#random.below(bytes), this.#random.below(8));
      this.#count('bitFlips');
    } else if (kind === 1 && node.markedIndex() > 0) {
      node.wipe();
      this.#count('wipes');
    } else if (kind === 2 && image !== undefined && node.markedIndex() > image.index) {
      node.rollBack(image);
      this.#images.delete(node.id);
      this.#count('rollbacks');
    } else return;
    node.isDamaged = true;
  }

  #mayDamage(): boolean {
    return this.config.nodes >= 3 && ![...this.#nodes.values()].some((node) => node.isDamaged);
  }

  /**
   * One follower is cut off while the rest commits; then one of those loses its log, and the leader
   * is cut off in turn. The two that are left are a majority that must not elect a leader, if the
   * one that forgot is what made the commits safe.
   */
  #amnesia(): void {
    const leader = this.#leader();
    const voters = leader?.raft?.status().membership.voters ?? [];
    const [behind, forgets] = [...this.#nodes.values()].filter(
      (node) => node !== leader && node.phase === 'up' && voters.includes(node.id),
    );
    if (leader === undefined || behind === undefined || forgets === undefined) return;
    this.#count('amnesia');
    this.#isolate(behind.id);
    this.#image(forgets);
    this.#scheduler.after(400 + this.#random.below(1_500), () => {
      if (this.#isCalm || !this.#mayDamage() || forgets.phase !== 'up') return;
      forgets.kill();
      this.#damage(forgets);
      this.#scheduler.after(100, () => forgets.start());
      // Before it is back, or while it is being caught up.
      this.#scheduler.after(this.#random.below(250), () => {
        this.#network.heal();
        if (!this.#isCalm) this.#isolate(leader.id);
      });
      this.#scheduler.after(2_000 + this.#random.below(3_000), () => this.#network.heal());
    });
  }

  #isolate(node: NodeId): void {
    for (const other of this.#nodes.keys()) {
      if (other === node) continue;
      this.#network.cut(node, other);
      this.#network.cut(other, node);
    }
  }

  #image(node: SimulatedNode): void {
    this.#images.set(node.id, node.image());
  }

  #partition(): void {
    const ids = [...this.#nodes.keys()];
    const isOneWay = this.#random.below(3) === 0;
    const side = new Set(ids.filter(() => this.#random.below(2) === 0));
    for (const from of ids) {
      for (const to of ids) {
        if (side.has(from) === side.has(to)) continue;
        if (!isOneWay || side.has(from)) this.#network.cut(from, to);
      }
    }
    this.#count('partitions');
    this.#scheduler.after(200 + this.#random.below(3_000), () => this.#network.heal());
  }

  #pause(): void {
    this.#anyNode()?.pause(100 + this.#random.below(3_000));
    this.#count('pauses');
  }

  #transfer(): void {
    const raft = this.#leader()?.raft;
    if (raft === undefined) return;
    this.#count('transfers');
    raft.transferLeadership().catch(() => {
      // Refused or timed out: the next leader is elected as ever.
    });
  }

  #changeMembership(): void {
    const raft = this.#leader()?.raft;
    if (raft === undefined) return;
    const { voters, learners } = raft.status().membership;
    const change = this.#drawChange(voters, learners);
    if (change === undefined) return;
    this.#count('membershipChanges');
    if (change.kind === 'add-learner' && !this.#nodes.has(change.node)) {
      this.#addNode(change.node).start();
    }
    raft.changeMembership(change).catch(() => {
      // Refused, or lost with the leader: a later one will do.
    });
  }

  #drawChange(
    voters: readonly NodeId[],
    learners: readonly NodeId[],
  ): MembershipChange | undefined {
    const one = (ids: readonly NodeId[]) => ids[this.#random.below(Math.max(1, ids.length))];
    const learner = one(learners);
    if (learner !== undefined && this.#random.below(2) === 0) {
      return { kind: 'promote', node: learner };
    }
    // Where disks are damaged the cluster only grows: who shrinks it to two voters of which one has
    // lost its log has no majority that knows everything, and no protocol can help.
    const { damagePercent, amnesiaEveryMs } = this.config;
    const kind = this.#random.below(damagePercent + amnesiaEveryMs > 0 ? 2 : 4);
    if (kind <= 1) {
      if (voters.length + learners.length >= NODES_MAX) return undefined;
      const node = (Math.max(...this.#nodes.keys()) + 1) as NodeId;
      return { kind: 'add-learner', node, context: new Uint8Array() };
    }
    const voter = one(voters);
    if (kind === 3 && learner !== undefined) return { kind: 'remove', node: learner };
    if (voter === undefined || voters.length <= 1) return undefined;
    return { kind: 'demote', node: voter };
  }

  #diskFate(operation: Parameters<DiskFates['next']>[0]): DiskFate {
    const { diskMsMean, diskErrorOnceIn, diskStallOnceIn } = this.config;
    const delayMs = -Math.log(1 - this.#random.float()) * diskMsMean;
    if (this.#isCalm) return { delayMs: Math.min(delayMs, 5) };
    if (operation === 'read' || operation === 'other') return { delayMs };
    if (diskErrorOnceIn > 0 && this.#random.below(diskErrorOnceIn) === 0) {
      this.#count('diskErrors');
      return { delayMs, error: this.#random.below(2) === 0 ? 'EIO' : 'ENOSPC' };
    }
    if (diskStallOnceIn > 0 && this.#random.below(diskStallOnceIn) === 0) {
      this.#count('diskStalls');
      return { delayMs: 500 + this.#random.below(3_000) };
    }
    return { delayMs };
  }

  // What is seen.

  #status(node: SimulatedNode): void {
    const status = node.raft?.status();
    if (status === undefined) return;
    node.lastSeenIndex = status.lastIndex;
    if (status.role === 'recovering') this.#count('recoveringSeen');
    // A node that stops while it is being caught up has not got back what it lost.
    else if (status.role !== 'stopped') node.isDamaged = false;
    this.#guard(() => this.#checker.status(status));
  }

  #ended(node: SimulatedNode, because: unknown): void {
    if (
      because instanceof InvariantError ||
      !hasCode(because, 'raft.disk-failed', 'raft.stopped')
    ) {
      this.#violation ??= because;
      return;
    }
    if (hasCode(because, 'raft.stopped')) {
      node.isRemoved = true;
      return;
    }
    this.#scheduler.after(500 + this.#random.below(1_500), () => node.start());
  }

  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#violation ??= error;
    }
  }

  #anyNode(): SimulatedNode | undefined {
    const up = [...this.#nodes.values()].filter((node) => node.phase === 'up');
    return up[this.#random.below(Math.max(1, up.length))];
  }

  /** At random times, with this mean, while the faults last. */
  #every(meanMs: number, action: () => void): void {
    if (meanMs === 0) return;
    const next = () => {
      this.#scheduler.after(-Math.log(1 - this.#random.float()) * meanMs, () => {
        if (this.#isCalm) return;
        this.#guard(action);
        next();
      });
    };
    next();
  }

  #count(fault: string): void {
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
  }

  #describe(): string {
    return [...this.#nodes.values()]
      .map(({ id, phase, raft, isRemoved }) => {
        const status = raft?.status();
        if (status === undefined) return `${id} ${isRemoved ? 'removed' : phase}`;
        const { role, term, applied, lastIndex, membership } = status;
        return `${id} ${role} term ${term} applied ${applied}/${lastIndex} of ${membership.voters.join()}+${membership.learners.join()}`;
      })
      .join('; ');
  }
}

function membersOf(membership: Membership): readonly NodeId[] {
  return [...membership.voters, ...membership.learners];
}

function tuningOf(config: SwarmConfig): Partial<RaftTuning> {
  const base = {
    tickMs: 100,
    electionTicks: 8,
    heartbeatTicks: 2,
    appendBytesMax: 4_096,
    leaseReads: config.leaseReads,
    // One clock fast by that much, another as slow.
    leaseDriftPercent: 2 * config.clockSkewPercent,
  };
  if (!config.compacts) return base;
  return {
    ...base,
    segmentBytesMax: 1_500,
    windowBytesMax: 4_000,
    logKeepBytes: 3_000,
    persistBytes: 2_000,
  };
}
