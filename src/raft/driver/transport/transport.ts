import type { Cancellation } from '../../../lib/index.ts';
import type { Message, NodeId } from '../../core/index.ts';

export type SnapshotMessage = Extract<Message, { kind: 'snapshot' }>;

/** What a group is told by its transport. Never called from within `send`. */
export interface TransportHandlers {
  /** From a peer whose greeting was checked; `from` is who the certificate says it is. */
  message(message: Message): void;
  /** Resolves when the snapshot is installed; a rejection is told to the sender. */
  snapshot(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** `node` is back as a later incarnation: called before any of its messages. */
  restarted(node: NodeId): void;
  /** Messages to `node` may have been lost. */
  unreachable(node: NodeId): void;
}

/** One group's way to its peers. */
export interface TransportLink {
  /** Never waits and never fails: a message may be lost, Raft sends again. */
  send(messages: readonly Message[]): void;
  /** Resolves when the peer has installed it. */
  sendSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: Cancellation,
  ): Promise<void>;
  detach(): void;
}

/** Carries messages between nodes, for all groups of a process. */
export interface Transport {
  attach(groupId: number, handlers: TransportHandlers): TransportLink;
}
