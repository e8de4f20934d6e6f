export { connect, type StrongroomClient } from './client.ts';
export type { KvFacade, SecretRead } from './facade.ts';
export type { RequestOf, ResponseOf, UnaryName } from './operations.ts';
export type { CallOptions, ClientOptions, Consistency } from './options.ts';
export type { RestoreOptions, WatchBatch, WatchOptions, WatchRequest } from './streams.ts';
