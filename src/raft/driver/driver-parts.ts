import type { Clock } from '../../lib/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import type { NodeId, RaftCore } from '../core/index.ts';
import { Applier } from './applier.ts';
import { CommittedLog } from './committed-stream.ts';
import type { DriverMetrics } from './driver-metrics.ts';
import { Gathering } from './gathering.ts';
import { LeaderRequests } from './leader-requests.ts';
import { LogRetention } from './log-retention.ts';
import type { OpenState } from './open-state.ts';
import { Proposals } from './proposals.ts';
import type { RaftStatus } from './raft-node.ts';
import { ReadRounds } from './read-rounds.ts';
import { Recovery } from './recovery.ts';
import { SnapshotIntake } from './snapshot-intake.ts';
import { SnapshotSender } from './snapshots.ts';
import type { StateMachine } from './state-machine.ts';
import { StatusListeners } from './status-listeners.ts';
import { type Durable, StorageWriter } from './storage-writer.ts';
import { Ticker } from './ticker.ts';
import type { Transport } from './transport/transport.ts';
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

/** What the parts tell the driver that they belong to. */
export interface DriverHooks {
  readonly onDurable: (done: readonly Durable[]) => void;
  /** The node must end. */
  readonly onFailure: (error: unknown) => void;
  readonly onTick: () => void;
  readonly onSnapshotSent: (node: NodeId, outcome: 'sent' | 'failed') => void;
  /** Listeners must be told. */
  readonly onStatusDue: () => void;
  readonly wake: () => void;
  readonly isRunning: () => boolean;
  readonly status: () => RaftStatus;
}

/** Puts together what a driver consists of; nothing runs yet. */
export function driverParts(options: RaftDriverOptions, hooks: DriverHooks) {
  const { core, opened, clock, metrics, tuning, stateMachine, log } = options;
  const { raftLog, highWater, mark } = opened;
  const { applied, membership } = opened.initial;
  const { onFailure, onStatusDue, wake, isRunning, status } = hooks;
  const { markLagMs, logKeepBytes, persistBytes, readersMax, tickMs } = tuning;
  const electionMs = tickMs * tuning.electionTicks;
  const listeners = new StatusListeners(clock);
  const writer = new StorageWriter(
    {
      raftLog,
      highWater,
      clock,
      metrics,
      markLagMs,
      logKeepBytes,
      onDurable: hooks.onDurable,
      onFailure,
    },
    mark,
  );
  const proposals = new Proposals({
    clock,
    metrics,
    entryBytesMax: tuning.entryBytesMax,
    batchBytesMax: tuning.appendBytesMax,
    countMax: tuning.proposalsMax,
  });
  const gathering = new Gathering(tuning.appendBytesMax);
  const reads = new ReadRounds(clock, 2 * electionMs, readersMax);
  const committed = new CommittedLog(raftLog, applied);
  const report = hooks.onSnapshotSent;
  const snapshots = new SnapshotSender({ stateMachine, metrics, log, report });
  const retention = new LogRetention(
    { stateMachine, raftLog, writer, snapshots, persistBytes, isRunning, onFailure },
    applied,
  );
  const applier = new Applier(
    stateMachine,
    { applied, membership },
    (entry, result) => {
      retention.countApplied(entry.data.length);
      proposals.applied(entry, result);
      if (entry.kind === 'membership') onStatusDue();
    },
    wake,
  );
  const intake = new SnapshotIntake({
    stateMachine,
    applier,
    metrics,
    onInstalled: (index) => {
      committed.advance(index);
      onStatusDue();
    },
    onFailure,
  });
  const recovery = new Recovery(
    { core, writer, reads, log, onChange: onStatusDue, wake, isRunning },
    opened.recovering,
  );
  const requests = new LeaderRequests({ core, raftLog, listeners, status, wake, electionMs });
  const ticker = new Ticker({ clock, soon: options.soon, tickMs, onTick: hooks.onTick });
  return {
    listeners,
    writer,
    proposals,
    gathering,
    reads,
    committed,
    snapshots,
    retention,
    applier,
    intake,
    recovery,
    requests,
    ticker,
  };
}
