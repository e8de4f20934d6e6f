export type { LeaseOptions } from './lease.ts';
export { membershipAfter } from './membership.ts';
export type {
  CommitPoint,
  Entry,
  EntryKind,
  LogIndex,
  Membership,
  MembershipChange,
  Message,
  MessageKind,
  NodeId,
  SnapshotMeta,
  Term,
} from './message.ts';
export type { RaftCoreOptions } from './options.ts';
export { type CoreStatus, RaftCore } from './raft-core.ts';
export type {
  HardState,
  InitialState,
  LogReader,
  ReadState,
  Ready,
  Role,
  StorageReceipt,
} from './ready.ts';
export type { TraceEvent, TraceMessage, TraceName } from './trace.ts';
