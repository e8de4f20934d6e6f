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
export type {
  HardState,
  InitialState,
  LogReader,
  ReadState,
  Ready,
  Role,
  StorageReceipt,
} from './ready.ts';
