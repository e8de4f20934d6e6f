import {
  type Cancellation,
  type Clock,
  type Deferred,
  deferred,
  StrongroomError,
  unreachable,
} from '../../lib/index.ts';
import type { Entry, LogIndex, RaftCore, Term } from '../core/index.ts';
import type { DriverMetrics } from './driver-metrics.ts';
import { cancelled, notLeader, outcomeUnknown, overloaded } from './failures.ts';
import type { Gathered } from './gathering.ts';
import type { Proposed } from './raft-node.ts';

interface Waiting {
  readonly data: Uint8Array;
  readonly outcome: Deferred<Proposed>;
  readonly signal: Cancellation | undefined;
  readonly startedMs: number;
  state: 'queued' | 'sent' | 'settled';
  onAbort: (() => void) | undefined;
}

interface Sent {
  readonly waiting: Waiting;
  readonly term: Term;
}

/** Proposals of this node: queued for one turn of the loop, then in the log until applied. */
export class Proposals {
  readonly #clock: Clock;
  readonly #metrics: DriverMetrics;
  readonly #entryBytesMax: number;
  readonly #batchBytesMax: number;
  readonly #countMax: number;
  #queued: Waiting[] = [];
  #queuedBytes = 0;
  readonly #sent = new Map<LogIndex, Sent>();

  constructor(options: {
    readonly clock: Clock;
    readonly metrics: DriverMetrics;
    readonly entryBytesMax: number;
    readonly batchBytesMax: number;
    readonly countMax: number;
  }) {
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#entryBytesMax = options.entryBytesMax;
    this.#batchBytesMax = options.batchBytesMax;
    this.#countMax = options.countMax;
  }

  /** @throws StrongroomError `raft.proposal-too-large`, `raft.overloaded` */
  add(data: Uint8Array, signal: Cancellation | undefined): Promise<Proposed> {
    if (data.length > this.#entryBytesMax) {
      return Promise.reject(
        new StrongroomError(
          'raft.proposal-too-large',
          `Cannot propose ${data.length} bytes: one entry may have ${this.#entryBytesMax}; split it`,
        ),
      );
    }
    if (this.#queued.length + this.#sent.size >= this.#countMax)
      return Promise.reject(overloaded());
    if (signal?.aborted === true) return Promise.reject(cancelled('the proposal'));
    const waiting: Waiting = {
      data,
      outcome: deferred(),
      signal,
      startedMs: this.#clock.monotonicMs(),
      state: 'queued',
      onAbort: undefined,
    };
    if (signal !== undefined) {
      waiting.onAbort = () => this.#abort(waiting);
      signal.addEventListener('abort', waiting.onAbort, { once: true });
    }
    this.#queued.push(waiting);
    this.#queuedBytes += data.length;
    return waiting.outcome.promise;
  }

  /** What `flush` would take. */
  get queued(): Gathered {
    return { count: this.#queued.length, bytes: this.#queuedBytes };
  }

  /** Everything that was queued goes to the core, a batch of bounded size at a time. */
  flush(core: RaftCore): void {
    if (this.#queued.length === 0) return;
    const queued = this.#queued.filter((waiting) => waiting.state === 'queued');
    this.#queued = [];
    this.#queuedBytes = 0;
    let batch: Waiting[] = [];
    let bytes = 0;
    for (const waiting of queued) {
      if (batch.length > 0 && bytes + waiting.data.length > this.#batchBytesMax) {
        this.#propose(core, batch);
        batch = [];
        bytes = 0;
      }
      batch.push(waiting);
      bytes += waiting.data.length;
    }
    if (batch.length > 0) this.#propose(core, batch);
  }

  applied(entry: Entry, result: unknown): void {
    const sent = this.#sent.get(entry.index);
    if (sent === undefined) return;
    this.#sent.delete(entry.index);
    if (sent.term !== entry.term) {
      this.#fail(sent.waiting, outcomeUnknown('another leader wrote at its place'), 'unknown');
      return;
    }
    const { waiting } = sent;
    if (waiting.state === 'settled') return;
    this.#settle(waiting);
    this.#metrics.proposals.add(1, { outcome: 'applied' });
    this.#metrics.commitSeconds.observe((this.#clock.monotonicMs() - waiting.startedMs) / 1000);
    waiting.outcome.resolve({ index: entry.index, term: entry.term, result });
  }

  /** What is in the log of a former leader may be committed by the next one, or not. */
  leadershipLost(): void {
    for (const { waiting } of this.#sent.values()) {
      this.#fail(waiting, outcomeUnknown('leadership was lost meanwhile'), 'unknown');
    }
    this.#sent.clear();
  }

  stop(error: () => StrongroomError): void {
    this.leadershipLost();
    for (const waiting of this.#queued) this.#fail(waiting, error(), 'refused');
    this.#queued = [];
  }

  #propose(core: RaftCore, batch: readonly Waiting[]): void {
    const outcome = core.propose(batch.map((waiting) => waiting.data));
    switch (outcome.kind) {
      case 'accepted':
        batch.forEach((waiting, at) => {
          waiting.state = 'sent';
          this.#sent.set((outcome.first + at) as LogIndex, { waiting, term: outcome.term });
        });
        return;
      case 'not-leader':
        for (const waiting of batch) this.#fail(waiting, notLeader(outcome.leader), 'refused');
        return;
      case 'overloaded':
        for (const waiting of batch) this.#fail(waiting, overloaded(), 'refused');
        return;
      case 'transferring':
        for (const waiting of batch) this.#fail(waiting, notLeader(undefined), 'refused');
        return;
      default:
        unreachable(outcome);
    }
  }

  #abort(waiting: Waiting): void {
    const error =
      waiting.state === 'queued' ? cancelled('the proposal') : outcomeUnknown('it was called off');
    this.#fail(waiting, error, 'cancelled');
  }

  #fail(waiting: Waiting, error: StrongroomError, outcome: string): void {
    if (waiting.state === 'settled') return;
    this.#settle(waiting);
    this.#metrics.proposals.add(1, { outcome });
    waiting.outcome.reject(error);
  }

  #settle(waiting: Waiting): void {
    waiting.state = 'settled';
    if (waiting.onAbort !== undefined)
      waiting.signal?.removeEventListener('abort', waiting.onAbort);
  }
}
