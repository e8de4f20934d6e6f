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
export {
  type ClosableLogger,
  type LogLevel,
  type PinoLoggerOptions,
  pinoLogger,
} from './pino-logger.ts';
export { type PromMetrics, promMetrics } from './prom-metrics.ts';
