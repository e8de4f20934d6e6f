export { connect, type StrongroomClient } from './client.ts';
export type { KvFacade, SecretRead } from './facade.ts';
export type { CallOptions, ClientOptions, Consistency } from './options.ts';
export type { WatchBatch } from './streams.ts';
