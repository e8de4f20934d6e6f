/** Every bound of the API in one place. A request over a bound is refused and changes nothing. */
export interface ApiBounds {
  /** Of one gRPC message, either way. */
  readonly messageBytesMax: number;
  /** Time a call is given when it names none, and the most it may name. */
  readonly callMsDefault: number;
  readonly callMsMax: number;
  /** Calls that are being worked on. */
  readonly nodeInFlightMax: number;
  readonly connectionInFlightMax: number;
  /** Calls a second, with a second's worth saved up at most. */
  readonly nodeCallsPerSecond: number;
  readonly connectionCallsPerSecond: number;
  /** Pipelines, watches and snapshot transfers that are open on this node. */
  readonly openStreamsMax: number;
  /** HTTP/2 streams of one connection. */
  readonly connectionStreamsMax: number;
  readonly pipelineInFlightMax: number;
  readonly pipelineFrameItemsMax: number;
  /** An answer frame is sent when it holds this much. */
  readonly pipelineAnswerBytes: number;
  readonly tokenBytesMax: number;
  readonly namespaceBytesMax: number;
  readonly correlationIdBytesMax: number;
}

export const defaultApiBounds: ApiBounds = {
  messageBytesMax: 4 * 1024 * 1024,
  callMsDefault: 30_000,
  callMsMax: 120_000,
  nodeInFlightMax: 8192,
  connectionInFlightMax: 2048,
  nodeCallsPerSecond: 100_000,
  connectionCallsPerSecond: 50_000,
  openStreamsMax: 4096,
  connectionStreamsMax: 2048,
  pipelineInFlightMax: 1024,
  pipelineFrameItemsMax: 1024,
  pipelineAnswerBytes: 256 * 1024,
  tokenBytesMax: 4096,
  namespaceBytesMax: 512,
  correlationIdBytesMax: 128,
};
