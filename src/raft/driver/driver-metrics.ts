import type { Counter, Gauge, Histogram, Metrics } from '../../telemetry/index.ts';
import type { CoreStatus } from '../core/index.ts';

export interface DriverMetrics {
  readonly term: Gauge;
  readonly commitIndex: Gauge;
  readonly appliedIndex: Gauge;
  readonly lastIndex: Gauge;
  readonly isLeader: Gauge;
  readonly logBytes: Gauge;
  readonly leaderChanges: Counter;
  readonly proposals: Counter;
  readonly snapshots: Counter;
  readonly fsyncSeconds: Histogram;
  readonly writeEntries: Histogram;
  readonly applyEntries: Histogram;
  readonly commitSeconds: Histogram;
}

const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2];
const COUNTS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

export function driverMetrics(metrics: Metrics): DriverMetrics {
  const gauge = (what: string, help: string) =>
    metrics.gauge({ name: `strongroom_raft_${what}`, help });
  return {
    term: gauge('term', 'Current Raft term.'),
    commitIndex: gauge('commit_index', 'Last committed log index known here.'),
    appliedIndex: gauge('applied_index', 'Last log index applied to the state.'),
    lastIndex: gauge('last_index', 'Last log index stored here.'),
    isLeader: gauge('is_leader', '1 while this node leads.'),
    logBytes: gauge('log_bytes', 'Size of the Raft log on disk.'),
    leaderChanges: metrics.counter({
      name: 'strongroom_raft_leader_changes_total',
      help: 'Changes of the leader as seen by this node.',
    }),
    proposals: metrics.counter({
      name: 'strongroom_raft_proposals_total',
      help: 'Proposals by outcome.',
      labels: ['outcome'],
    }),
    snapshots: metrics.counter({
      name: 'strongroom_raft_snapshots_total',
      help: 'Snapshots sent and received, by outcome.',
      labels: ['direction', 'outcome'],
    }),
    fsyncSeconds: metrics.histogram({
      name: 'strongroom_raft_fsync_seconds',
      help: 'Time of one storage write with its sync.',
      buckets: SECONDS,
    }),
    writeEntries: metrics.histogram({
      name: 'strongroom_raft_write_entries',
      help: 'Log entries of one storage write.',
      buckets: COUNTS,
    }),
    applyEntries: metrics.histogram({
      name: 'strongroom_raft_apply_entries',
      help: 'Log entries of one application.',
      buckets: COUNTS,
    }),
    commitSeconds: metrics.histogram({
      name: 'strongroom_raft_commit_seconds',
      help: 'Time from a proposal to its application here.',
      buckets: SECONDS,
    }),
  };
}

/** What is looked at once a tick. */
export function observeStatus(metrics: DriverMetrics, status: CoreStatus, logBytes: number): void {
  metrics.term.set(status.term);
  metrics.commitIndex.set(status.commit);
  metrics.appliedIndex.set(status.applied);
  metrics.lastIndex.set(status.lastIndex);
  metrics.isLeader.set(status.role === 'leader' ? 1 : 0);
  metrics.logBytes.set(logBytes);
}
