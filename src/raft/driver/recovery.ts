import type { Logger } from '../../telemetry/index.ts';
import type { LogIndex, Message, RaftCore } from '../core/index.ts';
import type { ReadRounds } from './read-rounds.ts';
import type { StorageWriter } from './storage-writer.ts';

export interface RecoveryOptions {
  readonly core: RaftCore;
  readonly writer: StorageWriter;
  readonly reads: ReadRounds;
  readonly log: Logger;
  /** Its status changed: it votes no more, or again. */
  readonly onChange: () => void;
  readonly wake: () => void;
  readonly isRunning: () => boolean;
}

/**
 * A node that lost part of its log: it takes part in no election until it has caught up with a
 * leader that does not count on what it forgot.
 */
export class Recovery {
  readonly #options: RecoveryOptions;
  #active: boolean;
  /** What must be applied before this node votes again, as a leader said. */
  #target: LogIndex | undefined;
  #asked = false;
  #isLeaving = false;

  constructor(options: RecoveryOptions, active: boolean) {
    this.#options = options;
    this.#active = active;
  }

  get active(): boolean {
    return this.#active;
  }

  begin(): void {
    const { log, writer, onChange } = this.#options;
    log.error(
      { code: 'raft.log-corrupt' },
      'The leader knows entries acknowledged here that this node does not have; it does not vote until it has caught up',
    );
    this.#active = true;
    onChange();
    void writer.setRecovering(true);
  }

  /**
   * Caught up once it holds what a leader had committed after this process was heard of. That
   * leader counts nothing that a former process acknowledged (`peerRestarted`), and has everything
   * that was ever committed (Raft 5.4.3); a majority confirmed it while it answered.
   */
  check(applied: LogIndex): void {
    if (!this.#active) return;
    const target = this.#target;
    if (target === undefined) this.#askTarget();
    else if (applied >= target && !this.#isLeaving) this.#leave(target);
  }

  #askTarget(): void {
    const { core, reads, wake } = this.#options;
    if (this.#asked || core.status().leader === undefined) return;
    this.#asked = true;
    reads.add(undefined).then(
      (index) => {
        this.#target = index;
        wake();
      },
      () => {
        // No leader yet, or one that does not count this node: asked again at the next turn.
        this.#asked = false;
      },
    );
  }

  #leave(target: LogIndex): void {
    const { core, writer, log, onChange, wake, isRunning } = this.#options;
    this.#isLeaving = true;
    void writer.setRecovering(false).then(() => {
      if (!isRunning()) return;
      this.#isLeaving = false;
      this.#active = false;
      this.#target = undefined;
      this.#asked = false;
      core.logRecovered();
      onChange();
      log.info({ index: target }, 'Caught up with the leader: may vote again');
      wake();
    });
  }

  /** Votes are not given, and no election is begun, while promises may have been forgotten. */
  hears(message: Message): boolean {
    if (!this.#active) return true;
    switch (message.kind) {
      case 'vote':
      case 'pre-vote':
      case 'timeout-now':
        return false;
      default:
        return true;
    }
  }

  /** A leader must not make a voter of a node that gives no votes: its answers say so. */
  marked(messages: readonly Message[]): readonly Message[] {
    return this.#active ? messages.map(sayRecovering) : messages;
  }
}

function sayRecovering(message: Message): Message {
  return message.kind === 'heartbeat-response' ? { ...message, recovering: true } : message;
}
