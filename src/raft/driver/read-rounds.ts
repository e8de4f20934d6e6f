import {
  type Cancellation,
  type Clock,
  type Deferred,
  deferred,
  type StrongroomError,
} from '../../lib/index.ts';
import type { LogIndex, RaftCore, ReadState } from '../core/index.ts';
import { cancelled, noLeader, overloaded } from './failures.ts';

interface Reader {
  readonly outcome: Deferred<LogIndex>;
  readonly deadlineMs: number;
  readonly signal: Cancellation | undefined;
}

/** Rounds on their way at once: the next one need not wait for the last. */
const ROUNDS_MAX = 4;

/**
 * Callers that want a read index. All that came since the last round share the next; each round
 * has a number of its own, also when it repeats one that failed (etcd #20418).
 */
export class ReadRounds {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #readersMax: number;
  readonly #rounds = new Map<number, readonly Reader[]>();
  #waiting: Reader[] = [];
  #readers = 0;
  #context = 0;
  /** No leader was known at the last try: wait for a tick before the next. */
  #paused = false;

  constructor(clock: Clock, patienceMs: number, readersMax: number) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
    this.#readersMax = readersMax;
  }

  add(signal: Cancellation | undefined): Promise<LogIndex> {
    if (this.#readers >= this.#readersMax) return Promise.reject(overloaded());
    if (signal?.aborted === true) return Promise.reject(cancelled('the read'));
    const reader: Reader = {
      outcome: deferred(),
      deadlineMs: this.#clock.monotonicMs() + this.#patienceMs,
      signal,
    };
    if (signal !== undefined) {
      const onAbort = () => reader.outcome.reject(cancelled('the read'));
      signal.addEventListener('abort', onAbort, { once: true });
      const off = () => signal.removeEventListener('abort', onAbort);
      reader.outcome.promise.then(off, off);
    }
    this.#readers += 1;
    this.#waiting.push(reader);
    return reader.outcome.promise;
  }

  flush(core: RaftCore): void {
    if (this.#paused || this.#waiting.length === 0 || this.#rounds.size >= ROUNDS_MAX) return;
    this.#context += 1;
    this.#rounds.set(this.#context, this.#waiting);
    this.#waiting = [];
    core.readIndex(this.#context);
  }

  confirmed(reads: readonly ReadState[]): void {
    for (const { context, index } of reads) {
      const readers = this.#rounds.get(context);
      if (readers === undefined) continue;
      this.#rounds.delete(context);
      this.#readers -= readers.length;
      for (const reader of readers) reader.outcome.resolve(index);
    }
  }

  /** They ask again in a later round. */
  failed(contexts: readonly number[]): void {
    for (const context of contexts) {
      const readers = this.#rounds.get(context);
      if (readers === undefined) continue;
      this.#rounds.delete(context);
      this.#waiting.push(...readers);
      this.#paused = true;
    }
  }

  /** @returns whether a round may be begun now. */
  tick(): boolean {
    this.#paused = false;
    const now = this.#clock.monotonicMs();
    this.#waiting = this.#keepPatient(this.#waiting, now);
    for (const [context, readers] of this.#rounds) {
      const kept = this.#keepPatient(readers, now);
      if (kept.length === 0) this.#rounds.delete(context);
      else if (kept.length < readers.length) this.#rounds.set(context, kept);
    }
    return this.#waiting.length > 0;
  }

  stop(error: () => StrongroomError): void {
    for (const readers of [this.#waiting, ...this.#rounds.values()]) {
      for (const reader of readers) reader.outcome.reject(error());
    }
    this.#waiting = [];
    this.#rounds.clear();
    this.#readers = 0;
  }

  #keepPatient(readers: readonly Reader[], now: number): Reader[] {
    const kept: Reader[] = [];
    for (const reader of readers) {
      if (reader.signal?.aborted === true) this.#readers -= 1;
      else if (reader.deadlineMs > now) kept.push(reader);
      else {
        this.#readers -= 1;
        reader.outcome.reject(noLeader('answer a linearizable read'));
      }
    }
    return kept;
  }
}
