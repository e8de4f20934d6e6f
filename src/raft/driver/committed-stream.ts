import { type Cancellation, invariant } from '../../lib/index.ts';
import type { Entry, LogIndex } from '../core/index.ts';
import type { RaftLog } from './log/raft-log.ts';

/** One batch that a reader of the committed log gets. */
const BATCH_BYTES_MAX = 1024 * 1024;

/** Wakes those who follow the committed log. */
export class CommittedLog {
  readonly #raftLog: RaftLog;
  #applied: LogIndex;
  #waiters: (() => void)[] = [];
  #ended: (() => Error) | undefined;

  constructor(raftLog: RaftLog, applied: LogIndex) {
    this.#raftLog = raftLog;
    this.#applied = applied;
  }

  advance(applied: LogIndex): void {
    if (applied <= this.#applied) return;
    this.#applied = applied;
    this.#wake();
  }

  end(error: () => Error): void {
    this.#ended = error;
    this.#wake();
  }

  /** Entries that are committed and applied here, from `from` on, until `signal` aborts. */
  async *follow(from: LogIndex, signal: Cancellation): AsyncGenerator<readonly Entry[]> {
    let next = from;
    while (!signal.aborted) {
      if (this.#ended !== undefined) throw this.#ended();
      if (next > this.#applied) {
        await this.#changed(signal);
        continue;
      }
      const end = (this.#applied + 1) as LogIndex;
      const entries = await this.#raftLog.read(next, end, BATCH_BYTES_MAX);
      const last = entries.at(-1);
      invariant(last !== undefined, 'A committed entry is not in the log', { next, end });
      next = (last.index + 1) as LogIndex;
      yield entries;
    }
  }

  #changed(signal: Cancellation): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
      this.#waiters.push(wake);
    });
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
