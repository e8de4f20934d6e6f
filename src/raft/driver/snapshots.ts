import { hasCode, StrongroomError } from '../../lib/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import type { LogIndex, NodeId } from '../core/index.ts';
import type { DriverMetrics } from './driver-metrics.ts';
import type { StateMachine } from './state-machine.ts';
import type { SnapshotMessage, TransportLink } from './transport/transport.ts';

/** Snapshots that are sent at once: each keeps a copy of the state open. */
const SENDING_MAX = 2;

/** Sends the state to followers that the log no longer reaches. One at a time for each. */
export class SnapshotSender {
  readonly #stateMachine: StateMachine;
  readonly #metrics: DriverMetrics;
  readonly #log: Logger;
  readonly #report: (node: NodeId, outcome: 'sent' | 'failed') => void;
  readonly #sending = new Map<NodeId, { readonly abort: AbortController; index: LogIndex }>();

  constructor(options: {
    readonly stateMachine: StateMachine;
    readonly metrics: DriverMetrics;
    readonly log: Logger;
    /** Called once for each `send`, never from within it. */
    readonly report: (node: NodeId, outcome: 'sent' | 'failed') => void;
  }) {
    this.#stateMachine = options.stateMachine;
    this.#metrics = options.metrics;
    this.#log = options.log;
    this.#report = options.report;
  }

  /** The log must keep everything after this, or the receiver would need the next snapshot. */
  get pinned(): LogIndex | undefined {
    let lowest: LogIndex | undefined;
    for (const { index } of this.#sending.values()) {
      if (lowest === undefined || index < lowest) lowest = index;
    }
    return lowest;
  }

  send(message: SnapshotMessage, link: TransportLink): void {
    void this.#send(message, link).then((outcome) => {
      this.#metrics.snapshots.add(1, { direction: 'sent', outcome });
      this.#report(message.to, outcome);
    });
  }

  stop(): void {
    for (const { abort } of this.#sending.values()) abort.abort();
  }

  async #send(message: SnapshotMessage, link: TransportLink): Promise<'sent' | 'failed'> {
    const { to } = message;
    if (this.#sending.has(to) || this.#sending.size >= SENDING_MAX) return 'failed';
    const sending = { abort: new AbortController(), index: message.meta.index };
    this.#sending.set(to, sending);
    try {
      await using source = await this.#stateMachine.openSnapshot();
      sending.index = source.meta.index;
      const actual = { ...message, meta: source.meta };
      await link.sendSnapshot(actual, source.chunks(), sending.abort.signal);
      this.#log.info({ to, index: source.meta.index }, 'Sent a snapshot to a peer that lagged');
      return 'sent';
    } catch (error) {
      this.#log.warn(
        { to, error: error instanceof Error ? error.message : String(error) },
        'Could not send a snapshot; it is tried again',
      );
      return 'failed';
    } finally {
      this.#sending.delete(to);
    }
  }
}

/** Whether a snapshot failed through what the sender sent, and not through this node. */
export function isSnapshotRefusal(error: unknown): boolean {
  return hasCode(error, 'store.snapshot-invalid', 'raft.overloaded', 'raft.stopped');
}

export function snapshotBusy(): StrongroomError {
  return new StrongroomError(
    'raft.overloaded',
    'Cannot take a snapshot: another one is being installed; it is tried again',
  );
}
