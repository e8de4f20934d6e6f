export { type LogFields, type Logger, quietLogger } from './log.ts';
export {
  type Counter,
  type Gauge,
  type Histogram,
  type Labels,
  type MetricOptions,
  type Metrics,
  quietMetrics,
} from './metrics.ts';
