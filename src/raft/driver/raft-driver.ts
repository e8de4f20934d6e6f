import {
  type Cancellation,
  type Clock,
  InvariantError,
  invariant,
  StrongroomError,
  type Timer,
  unreachable,
} from '../../lib/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import type {
  CoreStatus,
  Entry,
  LogIndex,
  MembershipChange,
  Message,
  NodeId,
  RaftCore,
  Ready,
  Term,
} from '../core/index.ts';
import { Applier } from './applier.ts';
import { CommittedLog } from './committed-stream.ts';
import type { DriverMetrics } from './driver-metrics.ts';
import { noLeader, notLeader, outcomeUnknown, overloaded, stopped } from './failures.ts';
import type { RaftLog } from './log/raft-log.ts';
import type { OpenState } from './open-state.ts';
import { Proposals } from './proposals.ts';
import type { Proposed, RaftNode, RaftStatus } from './raft-node.ts';
import { ReadRounds } from './read-rounds.ts';
import { isSnapshotRefusal, SnapshotSender, snapshotBusy } from './snapshots.ts';
import type { StateMachine } from './state-machine.ts';
import { type Durable, StorageWriter } from './storage-writer.ts';
import type { SnapshotMessage, Transport, TransportLink } from './transport/transport.ts';
import type { RaftTuning } from './tuning.ts';

export interface RaftDriverOptions {
  readonly id: NodeId;
  readonly groupId: number;
  readonly core: RaftCore;
  readonly opened: OpenState;
  readonly clock: Clock;
  /** Runs a callback in a later turn of the loop, after what has arrived was read. */
  readonly soon: (callback: () => void) => void;
  readonly transport: Transport;
  readonly stateMachine: StateMachine;
  readonly log: Logger;
  readonly metrics: DriverMetrics;
  readonly tuning: RaftTuning;
}

/** `Ready`s taken in one turn: each can bring forth the next, and the loop must get its turn. */
const READIES_PER_TURN_MAX = 8;

/**
 * Runs one core: the only place where its decisions meet disk, network and time. Everything that
 * happens ends in a turn (`#turn`): proposals and reads go in, `Ready`s come out and are carried
 * out. The core is only ever touched synchronously.
 */
export class RaftDriver implements RaftNode {
  readonly #options: RaftDriverOptions;
  readonly #core: RaftCore;
  readonly #raftLog: RaftLog;
  readonly #writer: StorageWriter;
  readonly #applier: Applier;
  readonly #proposals: Proposals;
  readonly #reads: ReadRounds;
  readonly #committed: CommittedLog;
  readonly #snapshots: SnapshotSender;
  readonly #link: TransportLink;
  readonly #listeners = new Set<(status: RaftStatus) => void>();
  readonly stopped: Promise<{ readonly because: unknown }>;
  #resolveStopped: (ending: { readonly because: unknown }) => void = () => {};
  #state: 'running' | 'stopping' | 'ended' = 'running';
  #recovering: boolean;
  /** What must be applied before this node votes again, as a leader said. */
  #recoverTo: LogIndex | undefined;
  #askedRecovery = false;
  #isLeavingRecovery = false;
  #turnDue = false;
  #tickTimer: Timer | undefined;
  #soft: { readonly leader: NodeId | undefined; readonly role: CoreStatus['role'] };
  #term: Term;
  #statusDue = false;
  #installing = false;
  #persisting = false;
  #appliedBytes = 0;
  /** The core asks for no entry at or below this again. */
  #coreApplied: LogIndex;

  constructor(options: RaftDriverOptions) {
    this.#options = options;
    const { core, opened, clock, metrics, tuning, stateMachine, log } = options;
    this.#core = core;
    this.#raftLog = opened.raftLog;
    this.#recovering = opened.recovering;
    const { applied, membership } = opened.initial;
    this.#coreApplied = applied;
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
    this.#writer = new StorageWriter(
      {
        raftLog: opened.raftLog,
        highWater: opened.highWater,
        clock,
        metrics,
        markLagMs: tuning.markLagMs,
        logKeepBytes: tuning.logKeepBytes,
        onDurable: (done) => this.#guard(() => this.#durable(done)),
        onFailure: (error) => this.#end(error),
      },
      opened.mark,
    );
    this.#applier = new Applier(
      stateMachine,
      { applied, membership },
      (entry, result) => {
        this.#appliedBytes += entry.data.length;
        this.#proposals.applied(entry, result);
        if (entry.kind === 'membership') this.#statusDue = true;
      },
      () => this.#wake(),
    );
    this.#proposals = new Proposals({
      clock,
      metrics,
      entryBytesMax: tuning.entryBytesMax,
      batchBytesMax: tuning.appendBytesMax,
      countMax: tuning.proposalsMax,
    });
    this.#reads = new ReadRounds(clock, 2 * this.#electionMs(), tuning.readersMax);
    this.#committed = new CommittedLog(opened.raftLog, applied);
    this.#snapshots = new SnapshotSender({
      stateMachine,
      metrics,
      log,
      report: (node, outcome) => this.#input(() => core.reportSnapshot(node, outcome)),
    });
    const status = core.status();
    this.#soft = { leader: status.leader, role: status.role };
    this.#term = status.term;
    this.#link = options.transport.attach(options.groupId, {
      message: (message) => this.#receive(message),
      snapshot: (message, chunks) => this.#receiveSnapshot(message, chunks),
      restarted: (node) => this.#input(() => core.peerRestarted(node)),
      unreachable: (node) => this.#input(() => core.reportUnreachable(node)),
    });
    this.#offerSnapshot();
    this.#armTick();
    this.#wake();
  }

  status(): RaftStatus {
    const { transferring: _t, removed: _r, logLost: _l, ...status } = this.#core.status();
    const role =
      this.#state === 'ended' ? 'stopped' : this.#recovering ? 'recovering' : status.role;
    const { applied } = this.#applier;
    const { raftLog } = this.#options.opened;
    return { ...status, role, applied, firstIndex: raftLog.firstIndex() };
  }

  async propose(
    data: Uint8Array,
    options: { readonly signal?: Cancellation } = {},
  ): Promise<Proposed> {
    this.#requireRunning();
    const proposed = this.#proposals.add(data, options.signal);
    this.#wake();
    return await proposed;
  }

  async readIndex(options: { readonly signal?: Cancellation } = {}): Promise<LogIndex> {
    this.#requireRunning();
    if (this.#recovering) throw noLeader('read from a node that is being caught up');
    const index = this.#reads.add(options.signal);
    this.#wake();
    return await index;
  }

  async changeMembership(change: MembershipChange): Promise<void> {
    this.#requireRunning();
    const outcome = this.#core.proposeMembership(change);
    this.#wake();
    switch (outcome.kind) {
      case 'accepted':
        await this.#appliedHere(outcome.last, outcome.term);
        return;
      case 'not-leader':
        throw notLeader(outcome.leader);
      case 'transferring':
        throw notLeader(undefined);
      case 'overloaded':
        throw overloaded();
      case 'refused':
        throw new StrongroomError(
          'raft.membership-refused',
          `Cannot ${change.kind} node ${change.node}: ${outcome.because}`,
          { details: { node: change.node } },
        );
      default:
        unreachable(outcome);
    }
  }

  async transferLeadership(target?: NodeId): Promise<void> {
    this.#requireRunning();
    const { term } = this.#core.status();
    const outcome = this.#core.transferLeadership(target);
    this.#wake();
    if (outcome.kind === 'not-leader') throw notLeader(outcome.leader);
    if (outcome.kind === 'refused') {
      throw new StrongroomError(
        'raft.transfer-failed',
        `Cannot hand over leadership: ${outcome.because}`,
      );
    }
    const taken = (status: RaftStatus) =>
      status.term > term && status.leader !== undefined && status.leader !== status.node;
    if (await this.#until(taken, 2 * this.#electionMs())) return;
    throw new StrongroomError(
      'raft.transfer-failed',
      `Node ${outcome.target} did not take over within an election timeout; this node goes on`,
      { details: { target: outcome.target } },
    );
  }

  committedEntries(from: LogIndex, signal: Cancellation): AsyncIterable<readonly Entry[]> {
    return this.#committed.follow(from, signal);
  }

  onStatusChange(listener: (status: RaftStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopping') await this.stopped;
    if (this.#state !== 'running') return;
    const status = this.#core.status();
    if (status.role === 'leader' && status.membership.voters.length > 1) {
      await this.transferLeadership().catch((error: unknown) => {
        this.#options.log.warn(
          { error: error instanceof Error ? error.message : String(error) },
          'Stopping without a hand-over: the others will elect a leader',
        );
      });
    }
    if (this.#isEnded()) return;
    this.#state = 'stopping';
    this.#release();
    await this.#writer.close().catch((error: unknown) => this.#logError(error));
    await this.#raftLog.close();
    this.#state = 'ended';
    this.#resolveStopped({ because: 'asked to' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  // What arrives. Each input is guarded: a broken invariant ends the node.

  #receive(message: Message): void {
    if (this.#recovering && !isHeardWhileRecovering(message)) return;
    this.#input(() => this.#core.step(message));
    if (message.kind === 'removed') this.#statusDue = true;
  }

  async #receiveSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    this.#requireRunning();
    const { metrics, stateMachine } = this.#options;
    const { meta } = message;
    const isStale = message.term < this.#term;
    if (!isStale && meta.index > this.#applier.applied) {
      if (this.#installing) throw snapshotBusy();
      this.#installing = true;
      this.#applier.pause();
      const source = { broken: false };
      try {
        await stateMachine.installSnapshot(meta, noteBreak(chunks, source));
        metrics.snapshots.add(1, { direction: 'received', outcome: 'installed' });
      } catch (error) {
        metrics.snapshots.add(1, { direction: 'received', outcome: 'failed' });
        // The old state is untouched when the snapshot was at fault; else nothing is known of it.
        if (!source.broken && !isSnapshotRefusal(error)) this.#end(error);
        throw error;
      } finally {
        this.#installing = false;
        this.#applier.resume();
        this.#committed.advance(this.#applier.applied);
        this.#statusDue = true;
      }
    }
    this.#offerSnapshot();
    this.#input(() => this.#core.step(message));
  }

  #tick(): void {
    this.#armTick();
    if (this.#reads.tick()) this.#wake();
    // A node that may have forgotten what it promised waits to be found by a leader.
    if (!this.#recovering) this.#core.tick();
    const status = this.#core.status();
    if (status.logLost && !this.#recovering) this.#beginRecovery();
    if (status.removed) this.#endRemoved();
    this.#observe(status);
    this.#wake();
  }

  #armTick(): void {
    const { clock, soon, tuning } = this.#options;
    if (this.#state !== 'running') return;
    // Timers run before sockets are read: after a stall of the loop the heartbeats that waited are
    // heard first, and a late tick counts once (etcd #9939).
    this.#tickTimer = clock.after(tuning.tickMs, () => {
      soon(() => this.#guard(() => this.#tick()));
    });
  }

  // What is done about it.

  #input(action: () => void): void {
    this.#guard(() => {
      action();
      this.#wake();
    });
  }

  #wake(): void {
    if (this.#turnDue || this.#state !== 'running') return;
    this.#turnDue = true;
    this.#options.soon(() => {
      this.#turnDue = false;
      this.#guard(() => this.#turn());
    });
  }

  #turn(): void {
    this.#proposals.flush(this.#core);
    this.#reads.flush(this.#core);
    let readies = 0;
    while (readies < READIES_PER_TURN_MAX && this.#core.hasReady()) {
      this.#carryOut(this.#core.ready());
      readies += 1;
    }
    this.#applySlice();
    if (this.#recovering) this.#checkRecovered();
    if (this.#statusDue) this.#tellStatus();
    if (this.#applier.hasWork || this.#core.hasReady()) this.#wake();
  }

  #carryOut(ready: Ready): void {
    if (ready.snapshot !== undefined) {
      const held = this.#options.stateMachine.applied().index;
      invariant(held >= ready.snapshot.index, 'A snapshot was taken that is not installed', {
        held,
        snapshot: ready.snapshot.index,
      });
      this.#raftLog.stageReset(ready.snapshot);
    }
    this.#raftLog.stage(ready.append);
    this.#send(ready.sendNow);
    this.#writer.submit(ready);
    this.#applier.enqueue(ready.apply);
    this.#reads.confirmed(ready.reads);
    this.#reads.failed(ready.failedReads);
    if (ready.hard !== undefined && ready.hard.term !== this.#term) {
      this.#term = ready.hard.term;
      this.#statusDue = true;
    }
    if (ready.soft !== undefined) this.#softChanged(ready.soft);
  }

  #durable(done: readonly Durable[]): void {
    if (this.#state !== 'running') return;
    for (const { afterPersist, receipt } of done) {
      this.#send(afterPersist);
      if (receipt !== undefined) this.#core.storageAppended(receipt);
    }
    this.#wake();
  }

  #send(messages: readonly Message[]): void {
    if (messages.length === 0) return;
    const snapshots = messages.filter((message) => message.kind === 'snapshot');
    const said = this.#recovering ? messages.map(sayRecovering) : messages;
    for (const message of snapshots) this.#snapshots.send(message, this.#link);
    this.#link.send(
      snapshots.length === 0 ? said : said.filter((message) => message.kind !== 'snapshot'),
    );
  }

  #applySlice(): void {
    if (!this.#applier.hasWork) return;
    const slice = this.#applier.run();
    const last = slice.at(-1);
    if (last === undefined) return;
    this.#options.metrics.applyEntries.observe(slice.length);
    this.#coreApplied = last.index;
    this.#core.applied(last.index);
    this.#offerSnapshot();
    this.#committed.advance(this.#applier.applied);
    this.#raftLog.evict(this.#settled());
    if (this.#appliedBytes >= this.#options.tuning.persistBytes) this.#persist();
  }

  /** Entries after this are still needed: not applied, or next for a peer that gets a snapshot. */
  #settled(): LogIndex {
    return Math.min(
      this.#coreApplied,
      this.#snapshots.pinned ?? Number.MAX_SAFE_INTEGER,
    ) as LogIndex;
  }

  /** Has the state made durable, then lets go of the log that it came from. */
  #persist(): void {
    if (this.#persisting) return;
    this.#persisting = true;
    this.#appliedBytes = 0;
    const index = this.#settled();
    this.#options.stateMachine.persist(index).then(
      () => {
        this.#persisting = false;
        if (this.#state === 'running')
          this.#writer.compact(Math.min(index, this.#settled()) as LogIndex);
      },
      (error: unknown) => this.#end(error),
    );
  }

  #offerSnapshot(): void {
    const { index, term, membership } = this.#options.stateMachine.applied();
    this.#raftLog.offerSnapshot(index > 0 ? { index, term, membership } : undefined);
  }

  #softChanged(soft: NonNullable<Ready['soft']>): void {
    const { log, metrics } = this.#options;
    if (soft.leader !== this.#soft.leader && soft.leader !== undefined) {
      metrics.leaderChanges.add();
      log.info({ leader: soft.leader, term: this.#term }, 'A leader was elected');
    }
    if (this.#soft.role === 'leader' && soft.role !== 'leader') this.#proposals.leadershipLost();
    this.#soft = soft;
    this.#statusDue = true;
  }

  #tellStatus(): void {
    this.#statusDue = false;
    const status = this.status();
    for (const listener of this.#listeners) listener(status);
  }

  #observe(status: CoreStatus): void {
    const { metrics } = this.#options;
    metrics.term.set(status.term);
    metrics.commitIndex.set(status.commit);
    metrics.appliedIndex.set(this.#applier.applied);
    metrics.lastIndex.set(status.lastIndex);
    metrics.isLeader.set(status.role === 'leader' ? 1 : 0);
    metrics.logBytes.set(this.#raftLog.diskBytes);
  }

  // A node that lost part of its log.

  #beginRecovery(): void {
    this.#options.log.error(
      { code: 'raft.log-corrupt' },
      'The leader knows entries acknowledged here that this node does not have; it does not vote until it has caught up',
    );
    this.#recovering = true;
    this.#statusDue = true;
    void this.#writer.setRecovering(true);
  }

  /**
   * Caught up once it holds what a leader had committed after this process was heard of. That
   * leader counts nothing that a former process acknowledged (`peerRestarted`), and has everything
   * that was ever committed (Raft 5.4.3); a majority confirmed it while it answered.
   */
  #checkRecovered(): void {
    const target = this.#recoverTo;
    if (target === undefined) {
      if (this.#askedRecovery || this.#core.status().leader === undefined) return;
      this.#askedRecovery = true;
      this.#reads.add(undefined).then(
        (index) => {
          this.#recoverTo = index;
          this.#wake();
        },
        () => {
          // No leader yet, or one that does not count this node: asked again at the next turn.
          this.#askedRecovery = false;
        },
      );
      return;
    }
    if (this.#applier.applied < target || this.#isLeavingRecovery) return;
    this.#isLeavingRecovery = true;
    void this.#writer.setRecovering(false).then(() => {
      if (this.#state !== 'running') return;
      this.#isLeavingRecovery = false;
      this.#recovering = false;
      this.#recoverTo = undefined;
      this.#askedRecovery = false;
      this.#core.logRecovered();
      this.#statusDue = true;
      this.#options.log.info({ index: target }, 'Caught up with the leader: may vote again');
      this.#wake();
    });
  }

  // Endings.

  #endRemoved(): void {
    this.#end(
      new StrongroomError(
        'raft.stopped',
        `Node ${this.#options.id} was removed from the cluster; start it again under a new id with empty directories to add it anew`,
      ),
    );
  }

  #guard(action: () => void): void {
    if (this.#state === 'ended' || this.#state === 'stopping') return;
    try {
      action();
    } catch (error) {
      this.#end(error);
    }
  }

  /** The node ends by itself. Nothing more is said, written or acknowledged. */
  #end(because: unknown): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#logError(because);
    this.#release();
    this.#writer.abandon();
    void this.#raftLog.close().catch(() => {
      // The file may be what failed; the node has ended either way.
    });
    this.#tellStatus();
    this.#resolveStopped({ because });
  }

  #release(): void {
    this.#tickTimer?.cancel();
    this.#link.detach();
    this.#snapshots.stop();
    const error = () => stopped(this.#options.id);
    this.#proposals.stop(error);
    this.#reads.stop(error);
    this.#committed.end(error);
  }

  #logError(error: unknown): void {
    const { log } = this.#options;
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof InvariantError) {
      log.error({ invariant: message, facts: error.facts }, 'A broken invariant stopped Raft');
      return;
    }
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
    log.error({ error: message, cause }, 'Raft stopped on this node');
  }

  #isEnded(): boolean {
    return this.#state === 'ended';
  }

  #requireRunning(): void {
    if (this.#state !== 'running') throw stopped(this.#options.id);
  }

  #electionMs(): number {
    const { tickMs, electionTicks } = this.#options.tuning;
    return tickMs * electionTicks;
  }

  /** Waits for a status; `false` when it does not come in time, or the node ends. */
  #until(condition: (status: RaftStatus) => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (held: boolean) => {
        off();
        timer.cancel();
        resolve(held);
      };
      const off = this.onStatusChange((status) => {
        if (condition(status)) settle(true);
        else if (status.role === 'stopped') settle(false);
      });
      const timer = this.#options.clock.after(timeoutMs, () => settle(false));
    });
  }

  async #appliedHere(index: LogIndex, term: Term): Promise<void> {
    const done = (status: RaftStatus) =>
      status.applied >= index || status.role === 'stopped' || status.term !== term;
    if (!done(this.status())) {
      await new Promise<void>((resolve) => {
        const off = this.onStatusChange((status) => {
          if (!done(status)) return;
          off();
          resolve();
        });
      });
    }
    const stored = this.#raftLog.termOf(index) ?? term;
    if (stored === term && this.#applier.applied >= index) return;
    throw outcomeUnknown('leadership was lost meanwhile');
  }
}

/** Votes are not given, and no election is begun, while promises may have been forgotten. */
function isHeardWhileRecovering(message: Message): boolean {
  switch (message.kind) {
    case 'vote':
    case 'pre-vote':
    case 'timeout-now':
      return false;
    default:
      return true;
  }
}

/** A leader must not make a voter of a node that gives no votes. */
function sayRecovering(message: Message): Message {
  return message.kind === 'heartbeat-response' ? { ...message, recovering: true } : message;
}

/** Tells a sender that fell silent from a state machine that failed. */
async function* noteBreak(
  chunks: AsyncIterable<Uint8Array>,
  source: { broken: boolean },
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    source.broken = true;
    throw error;
  }
}
