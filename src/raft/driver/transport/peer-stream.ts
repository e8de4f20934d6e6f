import { type ChannelCredentials, Client, type ClientDuplexStream } from '@grpc/grpc-js';
import type { Clock, Random, Timer } from '../../../lib/index.ts';
import type { Logger } from '../../../telemetry/index.ts';
import type { Message, NodeId } from '../../core/index.ts';
import { alternativeNames, peerUri, type SelfIdentity, sayHello } from '../hello.ts';
import { encodeMessages, messageBytesMax } from './codec.ts';
import {
  type ExchangeRequest,
  type ExchangeResponse,
  FRAME_BYTES_MAX,
  peerChannelOptions,
  raftService,
} from './raft-service.ts';

export interface PeerStreamOptions {
  readonly self: SelfIdentity;
  readonly peer: NodeId;
  readonly addressOf: (node: NodeId) => string | undefined;
  readonly credentials: () => ChannelCredentials;
  readonly requirePeerCertificate: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Bytes that wait for the peer; what comes beyond is dropped. */
  readonly queueBytesMax: number;
  /** Something that was to be sent may be lost. */
  readonly onLoss: () => void;
  /** The peer has accepted the greeting. */
  readonly onOpen?: () => void;
}

/** Half an election timeout at most: a peer that comes back is found before anyone campaigns. */
const BACKOFF_MS = { first: 25, max: 400 } as const;
/**
 * A peer that does not accept the greeting in this time is given up and tried again, for TCP left to
 * itself doubles its pause each time: by turns, short enough to be there soon after a partition has
 * healed, and long enough for the handshakes of TCP and TLS over half the world.
 */
const ACCEPT_TIMEOUTS_MS = [1_000, 2_000] as const;
/** An attempt so old met nobody, when the peer is heard by another way. */
const ATTEMPT_STALE_MS = 700;

interface Queued {
  readonly groupId: number;
  readonly message: Message;
  readonly bytes: number;
}

type Stream = ClientDuplexStream<ExchangeRequest, ExchangeResponse>;

/**
 * One way to one peer for one class of traffic: connects when there is something to say, and again
 * with backoff when it breaks. Loses messages rather than waiting.
 */
export class PeerStream {
  readonly #options: PeerStreamOptions;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #state: 'idle' | 'greeting' | 'open' | 'backoff' | 'closed' = 'idle';
  #client: { readonly address: string; readonly client: Client } | undefined;
  #stream: Stream | undefined;
  #isFull = false;
  #flushDue = false;
  #backoffMs: number = BACKOFF_MS.first;
  #timer: Timer | undefined;
  /** Since the peer accepted a greeting. */
  #attempts = 0;
  #attemptedAtMs = 0;
  #complained = false;

  constructor(options: PeerStreamOptions) {
    this.#options = options;
  }

  send(groupId: number, message: Message): void {
    if (this.#state === 'closed') return;
    const bytes = messageBytesMax(message);
    if (this.#queuedBytes + bytes > this.#options.queueBytesMax && this.#queue.length > 0) {
      this.#lose();
    }
    this.#queue.push({ groupId, message, bytes });
    this.#queuedBytes += bytes;
    if (this.#state === 'idle') this.#connect();
    this.#flushSoon();
  }

  /**
   * The peer was heard by another way just now: what is on hold because of its silence is not any more.
   * Connects, though there may be nothing to say yet: over a long way that takes most of a second, and
   * a peer that was away has much to be told.
   */
  hurry(): void {
    const { clock } = this.#options;
    const isStale = clock.monotonicMs() - this.#attemptedAtMs > ATTEMPT_STALE_MS;
    if (this.#state === 'greeting' && isStale) this.#leave();
    if (this.#state !== 'backoff' && this.#state !== 'idle') return;
    this.#timer?.cancel();
    this.#connect();
  }

  close(): void {
    this.#state = 'closed';
    this.#timer?.cancel();
    this.#queue = [];
    this.#stream?.cancel();
    this.#client?.client.close();
  }

  /** All that this turn of the loop sends goes out in one frame. */
  #flushSoon(): void {
    if (this.#flushDue || this.#state !== 'open') return;
    this.#flushDue = true;
    queueMicrotask(() => {
      this.#flushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#state === 'open' && !this.#isFull && this.#queue.length > 0) {
      const first = this.#queue[0];
      if (first === undefined) return;
      let bytes = 0;
      let count = 0;
      for (const queued of this.#queue) {
        if (queued.groupId !== first.groupId) break;
        if (count > 0 && bytes + queued.bytes > FRAME_BYTES_MAX) break;
        bytes += queued.bytes;
        count += 1;
      }
      const batch = this.#queue.splice(0, count);
      this.#queuedBytes -= bytes;
      const messages = encodeMessages(batch.map(({ message }) => message));
      this.#write({ groupId: first.groupId, messages });
    }
  }

  #write(request: Partial<ExchangeRequest>): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    if (stream.write(request as ExchangeRequest)) return;
    this.#isFull = true;
    stream.once('drain', () => {
      if (stream !== this.#stream) return;
      this.#isFull = false;
      this.#flush();
    });
  }

  #connect(): void {
    const { self, peer } = this.#options;
    const client = this.#clientFor(peer);
    if (client === undefined) {
      this.#failed('its address is not known');
      return;
    }
    this.#state = 'greeting';
    this.#isFull = false;
    const { path, requestSerialize, responseDeserialize } = raftService.exchange;
    const stream: Stream = client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
    );
    this.#stream = stream;
    const ended = (why: string) => {
      if (stream !== this.#stream) return;
      this.#failed(why);
    };
    stream.on('error', (error: Error) => ended(error.message));
    stream.on('end', () => ended('it closed the stream'));
    stream.on('data', () => {
      if (stream === this.#stream && this.#state === 'greeting') this.#accepted(stream);
    });
    this.#write({ hello: sayHello(self, peer) } as Partial<ExchangeRequest>);
    const { clock } = this.#options;
    const timeoutMs = ACCEPT_TIMEOUTS_MS[this.#attempts % ACCEPT_TIMEOUTS_MS.length] ?? 0;
    this.#attempts += 1;
    this.#attemptedAtMs = clock.monotonicMs();
    this.#timer = clock.after(timeoutMs, () => {
      if (stream === this.#stream) this.#leave();
    });
  }

  /**
   * Gives up an attempt with its connection, which may be one that is still being made: the next
   * stream would wait for that same one, and gRPC itself never gives it up.
   */
  #leave(): void {
    const left = this.#client;
    this.#client = undefined;
    left?.client.close();
    this.#failed('it does not answer');
  }

  #accepted(stream: Stream): void {
    const { requirePeerCertificate, self, peer } = this.#options;
    if (requirePeerCertificate && !isCertified(stream, peerUri(self.clusterId, peer))) {
      this.#failed(`its certificate does not carry the name ${peerUri(self.clusterId, peer)}`);
      return;
    }
    this.#timer?.cancel();
    this.#state = 'open';
    // Only now: a peer that takes connections and refuses greetings is not tried at full speed.
    this.#backoffMs = BACKOFF_MS.first;
    this.#attempts = 0;
    this.#complained = false;
    this.#flush();
    this.#options.onOpen?.();
  }

  #failed(why: string): void {
    if (this.#state === 'closed') return;
    const { clock, random, log, peer } = this.#options;
    if (!this.#complained) {
      this.#complained = true;
      log.warn({ peer, why }, 'Cannot reach a peer; trying again');
    }
    this.#timer?.cancel();
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
    this.#lose();
    this.#state = 'backoff';
    const delayMs = this.#backoffMs / 2 + random.below(Math.ceil(this.#backoffMs / 2) + 1);
    this.#backoffMs = Math.min(this.#backoffMs * 2, BACKOFF_MS.max);
    this.#timer = clock.after(delayMs, () => {
      if (this.#state !== 'backoff') return;
      this.#state = 'idle';
      if (this.#queue.length > 0) this.#connect();
    });
  }

  #lose(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#options.onLoss();
  }

  #clientFor(peer: NodeId): Client | undefined {
    const address = this.#options.addressOf(peer);
    if (address === undefined) return undefined;
    if (this.#client?.address === address) return this.#client.client;
    this.#client?.client.close();
    const client = new Client(address, this.#options.credentials(), peerChannelOptions);
    this.#client = { address, client };
    return client;
  }
}

/** Whether the server that accepted the stream is the node that it was opened to. */
export function isCertified(stream: Pick<Stream, 'getAuthContext'>, uri: string): boolean {
  const names = stream.getAuthContext()?.sslPeerCertificate?.subjectaltname ?? '';
  return alternativeNames(names).includes(`URI:${uri}`);
}
