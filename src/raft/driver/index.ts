export { type AppendFile, type Disk, nodeDisk } from './disk.ts';
export {
  type AcceptedPeer,
  acceptHello,
  Incarnations,
  PEER_PROTOCOL_VERSION,
  type PeerCall,
  peerUri,
  refusalStatus,
  type SelfIdentity,
  sayHello,
} from './hello.ts';
export { nextIncarnation } from './log/high-water.ts';
export { logBegins } from './log/log-begins.ts';
export type { LogIdentity } from './log/records.ts';
export type { PeerStatus, Proposed, RaftNode, RaftStatus } from './raft-node.ts';
export { type RaftNodeOptions, startRaftNode } from './start-raft-node.ts';
export type { SnapshotSource, StateMachine } from './state-machine.ts';
export { GrpcTransport, type GrpcTransportOptions } from './transport/grpc-transport.ts';
export type {
  SnapshotMessage,
  Transport,
  TransportHandlers,
  TransportLink,
} from './transport/transport.ts';
export { DEFAULT_TUNING, type RaftTuning } from './tuning.ts';
