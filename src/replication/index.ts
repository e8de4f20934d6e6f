export {
  type Consistency,
  ConsistencyGate,
  type ConsistencyGateOptions,
} from './consistency/consistency-gate.ts';
export { Freshness, type FreshnessOptions } from './consistency/freshness.ts';
export { type EntrySource, raftSource } from './feed/entry-source.ts';
export { FeedServer, type FeedServerOptions } from './feed/feed-server.ts';
export { RecentEntries } from './feed/recent-entries.ts';
export {
  type FollowState,
  ReplicaFollower,
  type ReplicaFollowerOptions,
  type ReplicaLag,
  type ReplicaStatus,
  type Source,
} from './feed/replica-follower.ts';
export { ForwardClient, type ForwardClientOptions } from './forwarding/forward-client.ts';
export { ForwardServer, type ForwardServerOptions } from './forwarding/forward-server.ts';
export { SharedRound } from './shared-round.ts';
