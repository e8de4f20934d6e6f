import { type Clock, type Random, StrongroomError, systemClock } from '../../lib/index.ts';
import type { Logger, Metrics } from '../../telemetry/index.ts';
import { type Membership, type NodeId, RaftCore, type TraceEvent } from '../core/index.ts';
import type { Disk } from './disk.ts';
import { driverMetrics } from './driver-metrics.ts';
import { openState } from './open-state.ts';
import { RaftDriver } from './raft-driver.ts';
import type { RaftNode } from './raft-node.ts';
import type { StateMachine } from './state-machine.ts';
import type { Transport } from './transport/transport.ts';
import { DEFAULT_TUNING, leaseOptions, type RaftTuning } from './tuning.ts';

export interface RaftNodeOptions {
  readonly id: NodeId;
  /** 32 hex digits. */
  readonly clusterId: string;
  /** Several groups may share one transport. */
  readonly groupId: number;
  /** What `nextIncarnation` said, when the transport needed it before; else it is counted here. */
  readonly incarnation?: number;
  /** A directory for the log alone. */
  readonly disk: Disk;
  /** A directory for the high-water mark, best on another disk. Default: beside the log. */
  readonly sidecarDisk?: Disk;
  readonly clock?: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly stateMachine: StateMachine;
  readonly log: Logger;
  readonly metrics: Metrics;
  /**
   * Who counts in a new cluster: only on the very first start of its first nodes, the same on each.
   * A node that joins has none: it waits to be added. Ignored when there is a log already.
   */
  readonly bootstrap?: Membership;
  readonly tuning?: Partial<RaftTuning>;
  /** Runs a callback in a later turn of the event loop. */
  readonly soon?: (callback: () => void) => void;
  readonly trace?: (event: TraceEvent) => void;
}

/**
 * Opens a node's log and takes part in its group.
 *
 * @throws StrongroomError `raft.wrong-cluster` for the directory of another node, `raft.log-corrupt`
 *   when log and high-water mark are both lost, `raft.disk-failed`.
 */
export async function startRaftNode(options: RaftNodeOptions): Promise<RaftNode> {
  const { id, clusterId, groupId, stateMachine, log } = options;
  if (!/^[0-9a-f]{32}$/.test(clusterId) || !Number.isSafeInteger(id) || id < 1) {
    throw new StrongroomError(
      'raft.wrong-cluster',
      `Cannot start node ${id} of cluster "${clusterId}": the id counts from 1, and a cluster id is 32 lower-case hex digits`,
    );
  }
  const tuning = { ...DEFAULT_TUNING, ...options.tuning };
  const opened = await openState({
    identity: { clusterId, groupId, node: id },
    incarnation: options.incarnation,
    disk: options.disk,
    sidecarDisk: options.sidecarDisk ?? options.disk,
    stateMachine,
    bootstrap: options.bootstrap,
    tuning,
    log,
  });
  const lease = leaseOptions(tuning);
  const core = new RaftCore({
    id,
    initial: opened.initial,
    log: opened.raftLog,
    random: options.random,
    electionTicks: tuning.electionTicks,
    heartbeatTicks: tuning.heartbeatTicks,
    appendBytesMax: tuning.appendBytesMax,
    inflightMax: tuning.inflightMax,
    uncommittedBytesMax: tuning.uncommittedBytesMax,
    ...(lease === undefined ? {} : { lease }),
    ...(options.trace === undefined ? {} : { trace: options.trace }),
  });
  return new RaftDriver({
    id,
    groupId,
    core,
    opened,
    clock: options.clock ?? systemClock,
    soon: options.soon ?? ((callback) => void setImmediate(callback)),
    transport: options.transport,
    stateMachine,
    log,
    metrics: driverMetrics(options.metrics),
    tuning,
  });
}
