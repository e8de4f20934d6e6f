import {
  type ChannelCredentials,
  Client,
  type Server,
  type ServerDuplexStream,
} from '@grpc/grpc-js';
import {
  type Cancellation,
  type Clock,
  InvariantError,
  type Random,
  StrongroomError,
  SystemRandom,
  systemClock,
} from '../../../lib/index.ts';
import type { Counter, Logger, Metrics } from '../../../telemetry/index.ts';
import type { Message, NodeId } from '../../core/index.ts';
import {
  type AcceptedPeer,
  acceptHello,
  Incarnations,
  peerUri,
  refusalStatus,
  type SelfIdentity,
  sayHello,
} from '../hello.ts';
import { decodeMessages, encodeMessages } from './codec.ts';
import { isCertified, PeerStream } from './peer-stream.ts';
import {
  type ExchangeRequest,
  type ExchangeResponse,
  type InstallSnapshotRequest,
  type InstallSnapshotResponse,
  peerChannelOptions,
  raftService,
} from './raft-service.ts';
import { sendSnapshotStream, snapshotChunks } from './snapshot-stream.ts';
import type { SnapshotMessage, Transport, TransportHandlers, TransportLink } from './transport.ts';

export interface GrpcTransportOptions {
  readonly self: SelfIdentity;
  /** Asked anew for each connection, so that certificates can be replaced. */
  readonly credentials: () => ChannelCredentials;
  /** `host:port` of a peer's peer server; `undefined` while it is not known. */
  readonly addressOf: (node: NodeId) => string | undefined;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Both sides' certificates must carry `strongroom://<clusterId>/node/<id>`. Off in tests only. */
  readonly requirePeerCertificate: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Elections and heartbeats are small; what waits longer than this many is out of date anyway. */
const URGENT_QUEUE_BYTES_MAX = 256 * 1024;
const APPEND_QUEUE_BYTES_MAX = 32 * 1024 * 1024;

type TrafficClass = 'urgent' | 'append';

const CLASS_OF: Readonly<Record<Exclude<Message['kind'], 'snapshot'>, TrafficClass>> = {
  append: 'append',
  'append-response': 'append',
  heartbeat: 'urgent',
  'heartbeat-response': 'urgent',
  'pre-vote': 'urgent',
  'pre-vote-response': 'urgent',
  vote: 'urgent',
  'vote-response': 'urgent',
  'timeout-now': 'urgent',
  'transfer-leader': 'urgent',
  'read-index': 'urgent',
  'read-index-response': 'urgent',
  removed: 'urgent',
};

/** Carries Raft messages over long-lived gRPC streams, one for each peer and class of traffic. */
export class GrpcTransport implements Transport {
  readonly #options: GrpcTransportOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #groups = new Map<number, TransportHandlers>();
  readonly #streams = new Map<string, PeerStream>();
  readonly #incarnations = new Incarnations();
  readonly #inbound = new Map<NodeId, Set<Inbound>>();
  readonly #lost: Counter;
  readonly #refused: Counter;
  #closed = false;

  constructor(options: GrpcTransportOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? new SystemRandom();
    this.#lost = options.metrics.counter({
      name: 'strongroom_raft_peer_losses_total',
      help: 'Times that messages to a peer were lost: link broken, or queue full.',
      labels: ['peer', 'class'],
    });
    this.#refused = options.metrics.counter({
      name: 'strongroom_raft_refused_streams_total',
      help: 'Streams of strangers, other clusters, versions and old incarnations.',
    });
  }

  /** Adds the Raft service to the peer server. */
  register(server: Server): void {
    server.addService(raftService, {
      exchange: (call: ServerDuplexStream<ExchangeRequest, ExchangeResponse>) =>
        this.#exchange(call),
      installSnapshot: (
        call: ServerDuplexStream<InstallSnapshotRequest, InstallSnapshotResponse>,
      ) => {
        void this.#installSnapshot(call);
      },
    });
  }

  attach(groupId: number, handlers: TransportHandlers): TransportLink {
    this.#groups.set(groupId, handlers);
    return {
      send: (messages) => {
        for (const message of messages) this.#send(groupId, message);
      },
      sendSnapshot: (message, chunks, signal) =>
        this.#sendSnapshot(groupId, message, chunks, signal),
      detach: () => {
        if (this.#groups.get(groupId) === handlers) this.#groups.delete(groupId);
      },
    };
  }

  /** Closes every stream. The server is its owner's to close. */
  close(): void {
    this.#closed = true;
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
    for (const calls of this.#inbound.values()) for (const { end } of calls) end();
    this.#groups.clear();
  }

  #send(groupId: number, message: Message): void {
    if (this.#closed || message.kind === 'snapshot') return;
    this.#streamTo(message.to, CLASS_OF[message.kind]).send(groupId, message);
  }

  #streamTo(peer: NodeId, traffic: TrafficClass): PeerStream {
    const key = keyOf(peer, traffic);
    const known = this.#streams.get(key);
    if (known !== undefined) return known;
    const { self, addressOf, credentials, requirePeerCertificate, log } = this.#options;
    const stream = new PeerStream({
      self,
      peer,
      addressOf,
      credentials,
      requirePeerCertificate,
      clock: this.#clock,
      random: this.#random,
      log,
      queueBytesMax: traffic === 'urgent' ? URGENT_QUEUE_BYTES_MAX : APPEND_QUEUE_BYTES_MAX,
      onLoss: () => {
        this.#lost.add(1, { peer: String(peer), class: traffic });
        // A lost heartbeat comes again by itself; lost entries are asked for.
        if (traffic === 'append') this.#unreachable(peer);
      },
      onOpen: () => this.#heard(peer),
    });
    this.#streams.set(key, stream);
    return stream;
  }

  /** By one way, so the others to it need not wait. Each has a connection of its own, with its own pauses. */
  #heard(peer: NodeId): void {
    for (const traffic of ['urgent', 'append'] as const) {
      this.#streams.get(keyOf(peer, traffic))?.hurry();
    }
  }

  #unreachable(peer: NodeId): void {
    // Not from within `send`: the core is in the middle of handing out its messages.
    setImmediate(() => {
      for (const handlers of this.#groups.values()) handlers.unreachable(peer);
    });
  }

  async #sendSnapshot(
    groupId: number,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: Cancellation,
  ): Promise<void> {
    const { self, addressOf, credentials, requirePeerCertificate } = this.#options;
    const address = addressOf(message.to);
    if (address === undefined) throw unknownAddress(message.to);
    const client = new Client(address, credentials(), peerChannelOptions);
    try {
      const { path, requestSerialize, responseDeserialize } = raftService.installSnapshot;
      const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      const first = {
        hello: sayHello(self, message.to),
        groupId,
        message: encodeMessages([message]),
      } as InstallSnapshotRequest;
      const uri = peerUri(self.clusterId, message.to);
      const isPeer = () => !requirePeerCertificate || isCertified(call, uri);
      await sendSnapshotStream(call, first, chunks, { signal, isPeer });
    } finally {
      client.close();
    }
  }

  #exchange(call: ServerDuplexStream<ExchangeRequest, ExchangeResponse>): void {
    let peer: AcceptedPeer | undefined;
    let forget = () => {};
    const refuse = (error: unknown) => {
      this.#refused.add();
      call.removeAllListeners('data');
      call.emit('error', refusalStatus(error));
    };
    call.on('data', (request: ExchangeRequest) => {
      try {
        if (peer === undefined) {
          peer = this.#greet(call, request.hello);
          forget = this.#remember(peer, () => call.end());
          call.write({ accepted: true } as ExchangeResponse);
          this.#heard(peer.node);
          return;
        }
        this.#deliver(peer, request);
      } catch (error) {
        if (error instanceof InvariantError) throw error;
        this.#options.log.warn({ error: messageOf(error) }, 'Refused a stream from a peer');
        refuse(error);
      }
    });
    call.on('end', () => call.end());
    call.on('close', () => forget());
    call.on('cancelled', () => forget());
    call.on('error', () => forget());
  }

  #greet(
    call: Parameters<typeof acceptHello>[0],
    hello: Parameters<typeof acceptHello>[1],
  ): AcceptedPeer {
    const { self, requirePeerCertificate } = this.#options;
    const options = { requirePeerCertificate, incarnations: this.#incarnations };
    const known = this.#incarnations.highestOf((hello?.from ?? 0) as NodeId);
    const peer = acceptHello(call, hello, self, options);
    if (known > 0 && peer.incarnation > known) {
      for (const handlers of this.#groups.values()) handlers.restarted(peer.node);
    }
    return peer;
  }

  /** Ends the streams of this peer's former incarnations. */
  #remember(peer: AcceptedPeer, end: () => void): () => void {
    const calls = this.#inbound.get(peer.node) ?? new Set();
    this.#inbound.set(peer.node, calls);
    const inbound = { incarnation: peer.incarnation, end };
    for (const other of calls) if (other.incarnation < peer.incarnation) other.end();
    calls.add(inbound);
    return () => calls.delete(inbound);
  }

  #deliver(peer: AcceptedPeer, request: ExchangeRequest): void {
    if (peer.incarnation < this.#incarnations.highestOf(peer.node)) return;
    const messages = decodeMessages(request.messages);
    const handlers = this.#groups.get(request.groupId);
    for (const message of messages) {
      this.#checkAddress(peer, message);
      handlers?.message(message);
    }
  }

  #checkAddress(peer: AcceptedPeer, message: Message): void {
    const { self } = this.#options;
    if (message.from === peer.node && message.to === self.node) return;
    throw new StrongroomError(
      'raft.wrong-cluster',
      `Refused a message from node ${message.from} to node ${message.to} on a stream from node ${peer.node} to node ${self.node}`,
    );
  }

  async #installSnapshot(
    call: ServerDuplexStream<InstallSnapshotRequest, InstallSnapshotResponse>,
  ): Promise<void> {
    call.on('error', () => {
      // The reading loop below meets it as well.
    });
    try {
      const requests = call[Symbol.asyncIterator]() as AsyncIterator<InstallSnapshotRequest>;
      const first = await requests.next();
      if (first.done === true) return;
      const peer = this.#greet(call, first.value.hello);
      const [message] = decodeMessages(first.value.message);
      if (message?.kind !== 'snapshot') throw notASnapshot();
      this.#checkAddress(peer, message);
      const handlers = this.#groups.get(first.value.groupId);
      if (handlers === undefined) throw notASnapshot();
      await handlers.snapshot(message, snapshotChunks(requests));
      call.write({ installed: true } as InstallSnapshotResponse);
      call.end();
    } catch (error) {
      this.#options.log.warn({ error: messageOf(error) }, 'Did not install a snapshot');
      call.emit('error', refusalStatus(error));
    }
  }
}

interface Inbound {
  readonly incarnation: number;
  readonly end: () => void;
}

function keyOf(peer: NodeId, traffic: TrafficClass): string {
  return `${peer} ${traffic}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unknownAddress(node: NodeId): StrongroomError {
  return new StrongroomError(
    'raft.no-leader',
    `Cannot send a snapshot to node ${node}: its address is not known`,
  );
}

function notASnapshot(): StrongroomError {
  return new StrongroomError(
    'request.invalid',
    'Cannot read a snapshot stream: it does not begin with a snapshot for a group of this node',
  );
}
