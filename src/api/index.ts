export { type ApiBounds, defaultApiBounds } from './grpc/bounds.ts';
export { type ServerIdentity, Tls13Credentials } from './grpc/credentials.ts';
export {
  decodeForwarded,
  decodeForwardedAnswer,
  encodeForwarded,
  encodeForwardedAnswer,
  encodeForwardedError,
  type ForwardedVaultRequest,
} from './grpc/forward-codec.ts';
export type { HealthPort } from './grpc/health.ts';
export { listenWith } from './grpc/listen.ts';
export type { StreamCaller } from './grpc/send-stream.ts';
export { type ApiServer, type ApiServerOptions, createApiServer } from './grpc/server.ts';
export type { RestoreOptions, SnapshotPort } from './grpc/snapshots.ts';
