import type { LogIndex } from '../core/index.ts';
import type { RaftLog } from './log/raft-log.ts';
import type { SnapshotSender } from './snapshots.ts';
import type { StateMachine } from './state-machine.ts';
import type { StorageWriter } from './storage-writer.ts';

export interface LogRetentionOptions {
  readonly stateMachine: StateMachine;
  readonly raftLog: RaftLog;
  readonly writer: StorageWriter;
  readonly snapshots: SnapshotSender;
  /** The state machine is asked to persist after this much was applied. */
  readonly persistBytes: number;
  readonly isRunning: () => boolean;
  readonly onFailure: (error: unknown) => void;
}

/** Keeps of the log what is still needed: in memory what may be asked for, on disk a bounded tail. */
export class LogRetention {
  readonly #options: LogRetentionOptions;
  /** The core asks for no entry at or below this again. */
  #coreApplied: LogIndex;
  #appliedBytes = 0;
  #persisting = false;

  constructor(options: LogRetentionOptions, applied: LogIndex) {
    this.#options = options;
    this.#coreApplied = applied;
  }

  countApplied(bytes: number): void {
    this.#appliedBytes += bytes;
  }

  /** The core was told that everything up to `index` is applied. */
  coreApplied(index: LogIndex): void {
    this.#coreApplied = index;
  }

  /** Lets go of what nobody needs in memory, and of the log once the state would outlive it. */
  trim(): void {
    const { raftLog, persistBytes } = this.#options;
    raftLog.evict(this.#settled());
    if (this.#appliedBytes >= persistBytes) this.#persist();
  }

  /** Entries after this are still needed: not applied, or next for a peer that gets a snapshot. */
  #settled(): LogIndex {
    const { pinned } = this.#options.snapshots;
    return Math.min(this.#coreApplied, pinned ?? Number.MAX_SAFE_INTEGER) as LogIndex;
  }

  /** Has the state made durable, then lets go of the log that it came from. */
  #persist(): void {
    if (this.#persisting) return;
    this.#persisting = true;
    this.#appliedBytes = 0;
    const index = this.#settled();
    const { stateMachine, writer, isRunning, onFailure } = this.#options;
    stateMachine.persist(index).then(() => {
      this.#persisting = false;
      if (isRunning()) writer.compact(Math.min(index, this.#settled()) as LogIndex);
    }, onFailure);
  }
}
