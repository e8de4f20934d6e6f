import type { Metrics } from '../../telemetry/index.ts';

export interface ReplicaLagMetrics {
  /** `stalenessMs`: how old the replica's state can be, as far as it can prove. */
  observe(region: string, entries: number, stalenessMs: number): void;
}

/** By region, on whoever feeds a replica and on the replica itself. */
export function replicaLagMetrics(metrics: Metrics): ReplicaLagMetrics {
  const entries = metrics.gauge({
    name: 'strongroom_replication_lag_entries',
    help: 'Committed entries that a replica has not yet applied',
    labels: ['region'],
  });
  const seconds = metrics.gauge({
    name: 'strongroom_replication_lag_seconds',
    help: 'How old the state of a replica can be at most',
    labels: ['region'],
  });
  return {
    observe(region, behind, stalenessMs) {
      entries.set(behind, { region });
      seconds.set(stalenessMs / 1000, { region });
    },
  };
}
