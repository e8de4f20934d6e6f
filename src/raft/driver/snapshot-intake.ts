import type { LogIndex, Term } from '../core/index.ts';
import type { Applier } from './applier.ts';
import type { DriverMetrics } from './driver-metrics.ts';
import { isSnapshotRefusal, snapshotBusy } from './snapshots.ts';
import type { StateMachine } from './state-machine.ts';
import type { SnapshotMessage } from './transport/transport.ts';

export interface SnapshotIntakeOptions {
  readonly stateMachine: StateMachine;
  readonly applier: Applier;
  readonly metrics: DriverMetrics;
  /** The state was replaced, or not: everything up to `applied` is in it now. */
  readonly onInstalled: (applied: LogIndex) => void;
  /** The state machine failed: nothing is known of the state. */
  readonly onFailure: (error: unknown) => void;
}

/** Takes the state that a leader sends in place of a log that it no longer has. One at a time. */
export class SnapshotIntake {
  readonly #options: SnapshotIntakeOptions;
  #installing = false;

  constructor(options: SnapshotIntakeOptions) {
    this.#options = options;
  }

  /**
   * Installs the snapshot, unless it brings nothing new.
   * @throws StrongroomError `raft.overloaded` beside another one, `store.snapshot-invalid`.
   */
  async take(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    term: Term,
  ): Promise<void> {
    const { applier } = this.#options;
    const isStale = message.term < term;
    if (isStale || message.meta.index <= applier.applied) return;
    if (this.#installing) throw snapshotBusy();
    this.#installing = true;
    applier.pause();
    try {
      await this.#install(message, chunks);
    } finally {
      this.#installing = false;
      applier.resume();
      this.#options.onInstalled(applier.applied);
    }
  }

  async #install(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { stateMachine, metrics, onFailure } = this.#options;
    const source = { broken: false };
    try {
      await stateMachine.installSnapshot(message.meta, noteBreak(chunks, source));
      metrics.snapshots.add(1, { direction: 'received', outcome: 'installed' });
    } catch (error) {
      metrics.snapshots.add(1, { direction: 'received', outcome: 'failed' });
      // The old state is untouched when the snapshot was at fault; else nothing is known of it.
      if (!source.broken && !isSnapshotRefusal(error)) onFailure(error);
      throw error;
    }
  }
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
