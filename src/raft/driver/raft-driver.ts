import { type Cancellation, invariant } from '../../lib/index.ts';
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
import type { Applier } from './applier.ts';
import type { CommittedLog } from './committed-stream.ts';
import { observeStatus } from './driver-metrics.ts';
import { driverParts, type RaftDriverOptions } from './driver-parts.ts';
import { logEnding, noLeader, removed, stopped } from './failures.ts';
import type { Gathering } from './gathering.ts';
import type { LeaderRequests } from './leader-requests.ts';
import type { RaftLog } from './log/raft-log.ts';
import type { LogRetention } from './log-retention.ts';
import type { Proposals } from './proposals.ts';
import type { Proposed, RaftNode, RaftStatus } from './raft-node.ts';
import type { ReadRounds } from './read-rounds.ts';
import type { Recovery } from './recovery.ts';
import type { SnapshotIntake } from './snapshot-intake.ts';
import type { SnapshotSender } from './snapshots.ts';
import type { StatusListeners } from './status-listeners.ts';
import type { Durable, StorageWriter } from './storage-writer.ts';
import type { Ticker } from './ticker.ts';
import type { SnapshotMessage, TransportLink } from './transport/transport.ts';

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
  readonly #gathering: Gathering;
  readonly #reads: ReadRounds;
  readonly #committed: CommittedLog;
  readonly #snapshots: SnapshotSender;
  readonly #link: TransportLink;
  readonly #intake: SnapshotIntake;
  readonly #recovery: Recovery;
  readonly #retention: LogRetention;
  readonly #listeners: StatusListeners;
  readonly #requests: LeaderRequests;
  readonly #ticker: Ticker;
  readonly stopped: Promise<{ readonly because: unknown }>;
  #resolveStopped: (ending: { readonly because: unknown }) => void = () => {};
  #state: 'running' | 'stopping' | 'ended' = 'running';
  #turnDue = false;
  #soft: { readonly leader: NodeId | undefined; readonly role: CoreStatus['role'] };
  #term: Term;
  #statusDue = false;

  constructor(options: RaftDriverOptions) {
    this.#options = options;
    const { core, opened } = options;
    this.#core = core;
    this.#raftLog = opened.raftLog;
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
    const parts = driverParts(options, {
      onDurable: (done) => this.#guard(() => this.#durable(done)),
      onFailure: (error) => this.#end(error),
      onTick: () => this.#guard(() => this.#tick()),
      onSnapshotSent: (node, outcome) => this.#input(() => core.reportSnapshot(node, outcome)),
      onStatusDue: () => {
        this.#statusDue = true;
      },
      wake: () => this.#wake(),
      isRunning: () => this.#state === 'running',
      status: () => this.status(),
    });
    this.#listeners = parts.listeners;
    this.#writer = parts.writer;
    this.#proposals = parts.proposals;
    this.#gathering = parts.gathering;
    this.#reads = parts.reads;
    this.#committed = parts.committed;
    this.#snapshots = parts.snapshots;
    this.#retention = parts.retention;
    this.#applier = parts.applier;
    this.#intake = parts.intake;
    this.#recovery = parts.recovery;
    this.#requests = parts.requests;
    this.#ticker = parts.ticker;
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
    this.#ticker.arm();
    this.#wake();
  }

  status(): RaftStatus {
    const { transferring: _t, removed: _r, logLost: _l, ...status } = this.#core.status();
    const role =
      this.#state === 'ended' ? 'stopped' : this.#recovery.active ? 'recovering' : status.role;
    const { applied } = this.#applier;
    const { raftLog } = this.#options.opened;
    return { ...status, role, applied, firstIndex: raftLog.firstIndex() };
  }

  get leadingTerm(): Term | undefined {
    return this.#state === 'ended' || this.#recovery.active ? undefined : this.#core.leadingTerm;
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
    if (this.#recovery.active) throw noLeader('read from a node that is being caught up');
    const index = this.#reads.add(options.signal);
    this.#wake();
    return await index;
  }

  async changeMembership(change: MembershipChange): Promise<void> {
    this.#requireRunning();
    await this.#requests.changeMembership(change);
  }

  async transferLeadership(target?: NodeId): Promise<void> {
    this.#requireRunning();
    await this.#requests.transferLeadership(target);
  }

  setReluctant(isReluctant: boolean): void {
    this.#guard(() => this.#core.setReluctant(isReluctant));
  }

  committedEntries(from: LogIndex, signal: Cancellation): AsyncIterable<readonly Entry[]> {
    return this.#committed.follow(from, signal);
  }

  onStatusChange(listener: (status: RaftStatus) => void): () => void {
    return this.#listeners.add(listener);
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
    await this.#writer.close().catch((error: unknown) => logEnding(this.#options.log, error));
    await this.#raftLog.close();
    this.#state = 'ended';
    this.#resolveStopped({ because: 'asked to' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  // What arrives. Each input is guarded: a broken invariant ends the node.

  #receive(message: Message): void {
    if (!this.#recovery.hears(message)) return;
    this.#input(() => this.#core.step(message));
    if (message.kind === 'removed') this.#statusDue = true;
  }

  async #receiveSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    this.#requireRunning();
    await this.#intake.take(message, chunks, this.#term);
    this.#offerSnapshot();
    this.#input(() => this.#core.step(message));
  }

  #tick(): void {
    this.#ticker.arm();
    if (this.#reads.tick()) this.#wake();
    // A node that may have forgotten what it promised waits to be found by a leader.
    if (!this.#recovery.active) this.#core.tick();
    const status = this.#core.status();
    if (status.logLost && !this.#recovery.active) this.#recovery.begin();
    if (status.removed) this.#end(removed(this.#options.id));
    observeStatus(
      this.#options.metrics,
      { ...status, applied: this.#applier.applied },
      this.#raftLog.diskBytes,
    );
    this.#wake();
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
    this.#propose();
    this.#reads.flush(this.#core);
    let readies = 0;
    while (readies < READIES_PER_TURN_MAX && this.#core.hasReady(this.#nowMs())) {
      this.#carryOut(this.#core.ready(this.#nowMs()));
      readies += 1;
    }
    this.#applySlice();
    this.#recovery.check(this.#applier.applied);
    if (this.#statusDue) this.#tellStatus();
    if (this.#applier.hasWork || this.#core.hasReady(this.#nowMs())) this.#wake();
  }

  #propose(): void {
    const isLeading = this.#core.leadingTerm !== undefined;
    const awaited = isLeading
      ? this.#gathering.waitsFor(this.#proposals.queued, this.#writer.writingEntriesForMs)
      : undefined;
    if (awaited === undefined) this.#proposals.flush(this.#core);
    // The end of a write brings a turn by itself, and so does a tick.
    else if (awaited === 'turn') this.#wake();
  }

  /** Leases are measured by the time of the very moment: a process may have stood still since. */
  #nowMs(): number | undefined {
    const { tuning, clock } = this.#options;
    return tuning.leaseReads ? clock.monotonicMs() : undefined;
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
    const said = this.#recovery.marked(messages);
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
    this.#retention.coreApplied(last.index);
    const wasSettled = this.#core.settled;
    this.#core.applied(last.index);
    if (this.#core.settled !== wasSettled) this.#statusDue = true;
    this.#offerSnapshot();
    this.#committed.advance(this.#applier.applied);
    this.#retention.trim();
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
    this.#listeners.tell(this.status());
  }

  // Endings.

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
    logEnding(this.#options.log, because);
    this.#release();
    this.#writer.abandon();
    void this.#raftLog.close().catch(() => {
      // The file may be what failed; the node has ended either way.
    });
    this.#tellStatus();
    this.#resolveStopped({ because });
  }

  #release(): void {
    this.#ticker.stop();
    this.#link.detach();
    this.#snapshots.stop();
    const error = () => stopped(this.#options.id);
    this.#proposals.stop(error);
    this.#reads.stop(error);
    this.#committed.end(error);
  }

  #isEnded(): boolean {
    return this.#state === 'ended';
  }

  #requireRunning(): void {
    if (this.#state !== 'running') throw stopped(this.#options.id);
  }
}
