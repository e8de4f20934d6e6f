export type {
  Entry,
  LogIndex,
  Membership,
  MembershipChange,
  NodeId,
  SnapshotMeta,
  Term,
} from './core/index.ts';
export type {
  PeerStatus,
  Proposed,
  RaftNode,
  RaftStatus,
  SnapshotSource,
  StateMachine,
} from './driver/index.ts';
