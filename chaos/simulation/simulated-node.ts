import type { SeededRandom } from '../../src/lib/index.ts';
import type { TraceEvent } from '../../src/raft/core/index.ts';
import {
  type Entry,
  type Membership,
  type NodeId,
  type RaftNode,
  type RaftTuning,
  startRaftNode,
  type Transport,
} from '../../src/raft/index.ts';
import { type Logger, quietLogger, quietMetrics } from '../../src/telemetry/index.ts';
import { DigestMachine, type DigestState, DigestStorage } from './digest-machine.ts';
import { ProcessTime, type Scheduler } from './scheduler.ts';
import { type DiskFate, type DiskFates, SimulatedDisk } from './simulated-disk.ts';

export const CLUSTER_ID = '5e'.repeat(16);

export interface NodeWorld {
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly tuning: Partial<RaftTuning>;
  readonly transportOf: (node: NodeId, time: ProcessTime, incarnation: number) => Transport;
  readonly diskFate: (operation: Parameters<DiskFates['next']>[0]) => DiskFate;
  readonly skewPercent: number;
  readonly onApply: (node: NodeId, entry: Entry, digest: number) => void;
  readonly onStarted: (node: SimulatedNode) => void;
  readonly onStatus: (node: SimulatedNode) => void;
  readonly onEnded: (node: SimulatedNode, because: unknown) => void;
  readonly logger?: Logger;
  readonly trace?: (event: TraceEvent) => void;
}

/** What a disk with log and state held at some time. */
export interface DataImage {
  readonly log: SimulatedDisk;
  readonly state: DigestState;
  readonly index: number;
}

/** One machine: disks that outlive its processes, and at most one process. */
export class SimulatedNode {
  readonly id: NodeId;
  readonly #world: NodeWorld;
  logDisk = new SimulatedDisk();
  readonly sidecarDisk = new SimulatedDisk();
  #state = new DigestStorage();
  #time: ProcessTime | undefined;
  raft: RaftNode | undefined;
  machine: DigestMachine | undefined;
  /** Starting, running, or down. */
  phase: 'down' | 'starting' | 'up' = 'down';
  /** Its log was damaged and has not been caught up since. */
  isDamaged = false;
  isRemoved = false;
  lastSeenIndex = 0;
  /** A founder says so at every start, as in production. */
  readonly #bootstrap: Membership | undefined;
  #starts = 0;
  /** Beside the skew that is drawn at each start. */
  #drift = 0;
  #wallOffsetMs = 0;

  constructor(id: NodeId, world: NodeWorld, bootstrap: Membership | undefined) {
    this.id = id;
    this.#world = world;
    this.#bootstrap = bootstrap;
  }

  start(): void {
    if (this.phase !== 'down') return;
    const { scheduler, random, skewPercent, trace, logger } = this.#world;
    const rate = 1 + (random.below(2 * skewPercent + 1) - skewPercent) / 100;
    const time = new ProcessTime(scheduler, rate);
    if (this.#drift !== 0 || this.#wallOffsetMs !== 0) {
      time.runAt(rate * (1 + this.#drift), this.#wallOffsetMs);
    }
    this.#time = time;
    this.#starts += 1;
    const start = this.#starts;
    this.phase = 'starting';
    const pauses = () => new Promise<void>((resolve) => time.after(random.below(20), resolve));
    const machine = new DigestMachine({
      storage: this.#state,
      onApply: (entry, digest) => this.#world.onApply(this.id, entry, digest),
      snapshotDelay: pauses,
    });
    const fates: DiskFates = {
      next: (operation) => this.#world.diskFate(operation),
      after: (delayMs, then) => time.after(delayMs, then),
    };
    startRaftNode({
      id: this.id,
      clusterId: CLUSTER_ID,
      groupId: 1,
      disk: this.logDisk.attach(fates),
      sidecarDisk: this.sidecarDisk.attach(fates),
      clock: time.clock,
      random,
      transport: this.#world.transportOf(this.id, time, start),
      stateMachine: machine,
      log: logger ?? quietLogger,
      metrics: quietMetrics,
      soon: time.soon,
      tuning: this.#world.tuning,
      ...(this.#bootstrap === undefined ? {} : { bootstrap: this.#bootstrap }),
      ...(trace === undefined ? {} : { trace }),
    }).then(
      (raft) => {
        if (start === this.#starts && this.phase === 'starting') this.#started(raft, machine);
      },
      (error: unknown) => {
        if (start !== this.#starts || this.phase !== 'starting') return;
        this.#down();
        this.#world.onEnded(this, error);
      },
    );
  }

  #started(raft: RaftNode, machine: DigestMachine): void {
    this.raft = raft;
    this.machine = machine;
    this.phase = 'up';
    this.#world.onStarted(this);
    raft.onStatusChange(() => {
      if (this.raft === raft) this.#world.onStatus(this);
    });
    void raft.stopped.then(({ because }) => {
      if (this.raft !== raft) return;
      // The operating system outlives the process and writes what it was given.
      this.#down();
      this.#killDisks();
      this.#world.onEnded(this, because);
    });
  }

  kill(): void {
    this.#down();
    this.#killDisks();
  }

  powerCut(): void {
    const { random } = this.#world;
    this.#down();
    this.logDisk.crash(random);
    this.sidecarDisk.crash(random);
    this.#state.crash((bound) => random.below(bound));
  }

  pause(forMs: number): void {
    this.#time?.pause(forMs);
  }

  /** As SIGSTOP and SIGCONT. */
  freeze(): void {
    this.#time?.freeze();
  }

  thaw(): void {
    this.#time?.thaw();
  }

  /** It runs, and is not frozen. */
  get answers(): boolean {
    return this.phase === 'up' && this.#time?.isFrozen === false;
  }

  /** Runs `callback` as this process would: never when it has ended, later when it stands still. */
  whenRunning(delayMs: number, callback: () => void): void {
    this.#time?.after(delayMs, callback);
  }

  /** Its clocks run faster by this share, and the wall clock is off by so much. */
  setClock(drift: number, wallOffsetMs: number): void {
    this.#drift = drift;
    this.#wallOffsetMs = wallOffsetMs;
    this.#time?.runAt(1 + drift, wallOffsetMs);
  }

  /** Log and state are gone; the high-water mark is on another disk. */
  wipe(): void {
    this.logDisk.wipe();
    this.#state = new DigestStorage();
  }

  image(): DataImage {
    const index = this.raft?.status().lastIndex ?? this.lastSeenIndex;
    return { log: this.logDisk.image(), state: this.#state.latest, index };
  }

  /** As a virtual machine that is set back to a snapshot. */
  rollBack({ log, state }: DataImage): void {
    this.logDisk = log;
    this.#state = new DigestStorage(state);
  }

  /** The last index that the high-water mark names: what is below it is missed when it is gone. */
  markedIndex(): number {
    let newest = { writes: -1, lastIndex: 0 };
    for (const name of this.sidecarDisk.names()) {
      const line = this.sidecarDisk.contentOf(name).toString('latin1');
      const mark = JSON.parse(line.slice(9)) as { writes: number; lastIndex: number };
      if (mark.writes > newest.writes) newest = mark;
    }
    return newest.lastIndex;
  }

  #killDisks(): void {
    this.logDisk.killProcess();
    this.sidecarDisk.killProcess();
  }

  #down(): void {
    this.#time?.end();
    this.#time = undefined;
    this.raft = undefined;
    this.machine = undefined;
    this.phase = 'down';
  }
}
