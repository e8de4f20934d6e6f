import type { Metrics } from '../../telemetry/index.ts';

export function integrityMetrics(metrics: Metrics) {
  return {
    outOfService: metrics.gauge({
      name: 'strongroom_integrity_out_of_service',
      help: '1 while this node serves and votes not, because its state was damaged or differs; 0 else',
    }),
    rebuilds: metrics.counter({
      name: 'strongroom_integrity_rebuilds_total',
      help: 'Times that this process made its state anew',
    }),
    comparedIndex: metrics.gauge({
      name: 'strongroom_integrity_compared_index',
      help: 'Last log index at which the leader compared the digest of this voter',
    }),
    unresolved: metrics.gauge({
      name: 'strongroom_integrity_unresolved',
      help: '1 on a leader that sees voters differ and cannot tell which is wrong, 0 else',
    }),
    verifyOk: metrics.gauge({
      name: 'strongroom_integrity_verify_ok',
      help: 'Result of the last pass over the whole state: 1 it was whole, 0 it was not',
    }),
    verifyTime: metrics.gauge({
      name: 'strongroom_integrity_verify_timestamp_seconds',
      help: 'When the last pass over the whole state ended, in Unix time',
    }),
    verifyDuration: metrics.gauge({
      name: 'strongroom_integrity_verify_duration_seconds',
      help: 'How long the last pass over the whole state took',
    }),
  };
}

export type IntegrityMetrics = ReturnType<typeof integrityMetrics>;
