import {
  Metadata,
  type ServerDuplexStream,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js';
import { StrongroomError } from '../../lib/index.ts';
import { internal } from '../../wire/index.ts';
import type { NodeId } from '../core/index.ts';

type HelloProperties = internal.internal.v1.Hello.$Properties;

/** What every stream between nodes speaks. A peer of another version is refused, not guessed at. */
export const PEER_PROTOCOL_VERSION = 2;

const CLUSTER_ID = /^[0-9a-f]{32}$/;

/** Who this process is to its peers. */
export interface SelfIdentity {
  /** 32 lower-case hex digits. */
  readonly clusterId: string;
  readonly node: NodeId;
  /** Counts the starts of this node on its disk: a wiped or rolled-back disk has a lower one. */
  readonly incarnation: number;
}

export interface AcceptedPeer {
  readonly node: NodeId;
  readonly incarnation: number;
}

/** The part of a gRPC server call that a greeting is checked against. */
export type PeerCall = Pick<
  ServerDuplexStream<unknown, unknown> | ServerWritableStream<unknown, unknown>,
  'getPeer' | 'getAuthContext'
>;

/**
 * The highest incarnation seen of each node. An older one is a forgotten process, or a disk that
 * was wiped or rolled back: what it promised is lost, so it may not speak under the same id.
 */
export class Incarnations {
  readonly #highest = new Map<NodeId, number>();

  highestOf(node: NodeId): number {
    return this.#highest.get(node) ?? 0;
  }

  saw(node: NodeId, incarnation: number): void {
    if (incarnation > this.highestOf(node)) this.#highest.set(node, incarnation);
  }
}

/** The first message of a stream to `to`. */
export function sayHello(self: SelfIdentity, to: NodeId): HelloProperties {
  return {
    clusterId: self.clusterId,
    from: self.node,
    to,
    incarnation: self.incarnation,
    protocolVersion: PEER_PROTOCOL_VERSION,
  };
}

/** The URI that a peer's certificate must carry as a subject alternative name. */
export function peerUri(clusterId: string, node: NodeId): string {
  return `strongroom://${clusterId}/node/${node}`;
}

/**
 * Checks a greeting before anything else of the stream is read: cluster, addressee, version,
 * incarnation, and that the client certificate names the sender.
 *
 * @throws StrongroomError `raft.wrong-cluster`
 */
export function acceptHello(
  call: PeerCall,
  hello: HelloProperties | null | undefined,
  self: SelfIdentity,
  options: { readonly requirePeerCertificate: boolean; readonly incarnations?: Incarnations },
): AcceptedPeer {
  const refuse = (reason: string): never => {
    throw new StrongroomError(
      'raft.wrong-cluster',
      `Refused a stream from ${call.getPeer()} to node ${self.node}: ${reason}`,
      { details: { node: self.node } },
    );
  };
  if (hello === null || hello === undefined) return refuse('it did not begin with a greeting');
  if (hello.protocolVersion !== PEER_PROTOCOL_VERSION) {
    refuse(
      `it speaks protocol version ${hello.protocolVersion ?? 0}, this node ${PEER_PROTOCOL_VERSION}`,
    );
  }
  if (!CLUSTER_ID.test(hello.clusterId ?? '') || hello.clusterId !== self.clusterId) {
    refuse('it belongs to another cluster, check its address list and data directory');
  }
  if (plainNumber(hello.to) !== self.node) refuse(`it was meant for node ${hello.to ?? 0}`);
  const node = plainNumber(hello.from) as NodeId;
  if (!Number.isSafeInteger(node) || node < 1 || node === self.node) {
    refuse(`it says it is node ${node}`);
  }
  if (options.requirePeerCertificate && !certificateNames(call, peerUri(self.clusterId, node))) {
    refuse(`its certificate does not carry the name ${peerUri(self.clusterId, node)}`);
  }
  const incarnation = plainNumber(hello.incarnation);
  const highest = options.incarnations?.highestOf(node) ?? 0;
  if (!Number.isSafeInteger(incarnation) || incarnation < highest) {
    refuse(
      `node ${node} comes as incarnation ${incarnation} after ${highest}: an old process, or a disk that was wiped or rolled back; remove it and add it under a new id`,
    );
  }
  options.incarnations?.saw(node, incarnation);
  return { node, incarnation };
}

/** The status that a refused stream ends with; the code travels in `strongroom-code`. */
export function refusalStatus(error: unknown): {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
} {
  const metadata = new Metadata();
  if (!(error instanceof StrongroomError)) {
    return { code: status.INTERNAL, details: 'Peer stream failed', metadata };
  }
  metadata.set('strongroom-code', error.code);
  return { code: status[error.traits.grpc], details: error.message, metadata };
}

/** A decoder may hand over 64-bit numbers as objects that know their value (protobufjs, Long). */
function plainNumber(value: number | { toNumber(): number } | null | undefined): number {
  if (typeof value === 'object' && value !== null) return value.toNumber();
  return value ?? 0;
}

/** Whether the verified client certificate has exactly this URI among its alternative names. */
function certificateNames(call: PeerCall, uri: string): boolean {
  const certificate = call.getAuthContext().sslPeerCertificate;
  return alternativeNames(certificate?.subjectaltname ?? '').includes(`URI:${uri}`);
}

/** Node puts a name that holds a separator into quotes: what is inside them is not another name. */
export function alternativeNames(names: string): readonly string[] {
  return (names.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []).map((name) => name.trim());
}
