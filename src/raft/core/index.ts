export { membershipAfter } from './membership.ts';
export type {
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
export type { MembershipOutcome, ProposeOutcome } from './proposals.ts';
export { type CorePeer, type CoreStatus, RaftCore } from './raft-core.ts';
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
export type { TransferOutcome } from './transfer.ts';
