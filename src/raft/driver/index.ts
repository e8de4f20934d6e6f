export type { PeerStatus, Proposed, RaftNode, RaftStatus } from './raft-node.ts';
export type { SnapshotSource, StateMachine } from './state-machine.ts';
