import type { ChannelCredentials } from '@grpc/grpc-js';
import { type Cancellation, type Clock, StrongroomError } from '../../lib/index.ts';
import type { NodeId, SelfIdentity } from '../../raft/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import { ForwardLink } from './forward-link.ts';

export interface ForwardClientOptions {
  readonly self: SelfIdentity;
  /** Asked for each connection: certificates are renewed while the node runs. */
  readonly credentials: () => ChannelCredentials;
  readonly clock: Clock;
  readonly log: Logger;
  /** "host:port" of a node's peer server; undefined when the node is not known. */
  readonly addressOf: (node: NodeId) => string | undefined;
  /** Such as the name that the other side's certificate is checked against. */
  readonly channelOptions?: (node: NodeId) => Readonly<Record<string, string | number>>;
  /** How long a connection may take to be made. */
  readonly connectTimeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 3000;
const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 2000;

interface Peer {
  link: ForwardLink | undefined;
  failures: number;
  retryAtMs: number;
  lastError: StrongroomError | undefined;
}

/** Sends requests to other nodes: one stream each, made when first needed and made again. */
export class ForwardClient implements AsyncDisposable {
  readonly #options: ForwardClientOptions;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #stop = new AbortController();

  constructor(options: ForwardClientOptions) {
    this.#options = options;
  }

  /**
   * Has `node` answer `request`.
   *
   * @throws StrongroomError `replication.unreachable`: certainly not executed.
   *   `replication.outcome-unknown`: the connection was lost, it may have been. Whatever the other
   *   node answered with; and the reason of `signal`.
   */
  async send(
    node: NodeId,
    request: Uint8Array,
    options: { readonly signal: Cancellation },
  ): Promise<Uint8Array> {
    options.signal.throwIfAborted();
    return await this.#linkTo(node).send(request, options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const { link } of this.#peers.values()) link?.close();
    this.#peers.clear();
  }

  #peer(node: NodeId): Peer {
    const known = this.#peers.get(node);
    if (known !== undefined) return known;
    const peer: Peer = {
      link: undefined,
      failures: 0,
      retryAtMs: Number.NEGATIVE_INFINITY,
      lastError: undefined,
    };
    this.#peers.set(node, peer);
    return peer;
  }

  #linkTo(node: NodeId): ForwardLink {
    const peer = this.#peer(node);
    if (peer.link !== undefined) return peer.link;
    const { clock, self, credentials, channelOptions } = this.#options;
    // While it cannot be reached, callers are told at once and may turn to another node.
    if (peer.lastError !== undefined && clock.monotonicMs() < peer.retryAtMs) throw peer.lastError;
    const address = this.#options.addressOf(node);
    if (address === undefined || this.#stop.signal.aborted) {
      throw new StrongroomError(
        'replication.unreachable',
        `Cannot forward a request to node ${node}: its address is not known here`,
        { details: { node } },
      );
    }
    const link = new ForwardLink({
      self,
      node,
      address,
      credentials: credentials(),
      channelOptions: channelOptions?.(node) ?? {},
      onClosed: (error) => this.#closed(peer, link, error),
    });
    peer.link = link;
    clock.after(this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, () => {
      if (!link.accepted) link.close();
    });
    return link;
  }

  #closed(peer: Peer, link: ForwardLink, error: StrongroomError): void {
    if (peer.link !== link) return;
    peer.link = undefined;
    peer.failures = link.accepted ? 0 : peer.failures + 1;
    peer.lastError = error;
    const backoffMs =
      peer.failures === 0
        ? 0
        : Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(peer.failures - 1, 10));
    peer.retryAtMs = this.#options.clock.monotonicMs() + backoffMs;
    if (!this.#stop.signal.aborted) this.#options.log.warn({ error }, 'Lost a peer connection');
  }
}
