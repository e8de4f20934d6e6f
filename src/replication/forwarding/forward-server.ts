import type { Server, ServerDuplexStream } from '@grpc/grpc-js';
import { type Cancellation, StrongroomError } from '../../lib/index.ts';
import {
  type AcceptedPeer,
  acceptHello,
  type Incarnations,
  type NodeId,
  refusalStatus,
  type SelfIdentity,
} from '../../raft/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import {
  type ForwardRequestMessage,
  type ForwardResponseMessage,
  forwardService,
} from '../peer-channel.ts';
import { encodeFailure } from '../peer-failure.ts';
import { requireMember } from '../peer-member.ts';

export interface ForwardServerOptions {
  readonly self: SelfIdentity;
  readonly log: Logger;
  /** Off only where connections are not encrypted: in tests. */
  readonly requirePeerCertificate: boolean;
  readonly incarnations?: Incarnations;
  /** Asked again with each message: a node that is removed is not answered any more. */
  readonly isMember?: (node: NodeId) => boolean;
  /** Answers one request; a rejection travels back as its code and message. */
  readonly handle: (
    request: Uint8Array,
    signal: Cancellation,
    peer: AcceptedPeer,
  ) => Promise<Uint8Array>;
}

type Call = ServerDuplexStream<ForwardRequestMessage, ForwardResponseMessage>;

/** Requests that one peer may have in work here. */
const IN_FLIGHT_MAX = 8192;
/** Replies are sent when they have this many bytes, at the latest at the end of the turn. */
const FRAME_BYTES = 1024 * 1024;

/** Answers requests that other nodes forward. */
export class ForwardServer {
  readonly #options: ForwardServerOptions;

  constructor(options: ForwardServerOptions) {
    this.#options = options;
  }

  register(server: Server): void {
    server.addService(forwardService, {
      forward: (call: Call) => this.#serve(call),
    });
  }

  #serve(call: Call): void {
    const stop = new AbortController();
    const gone = (): void =>
      stop.abort(new StrongroomError('request.cancelled', 'The node that forwarded it went away'));
    let session: Session | undefined;
    call.on('error', gone);
    call.on('cancelled', gone);
    call.on('close', gone);
    call.on('end', () => {
      if (session === undefined) call.end();
      else void session.settled().then(() => call.end());
    });
    call.on('data', (message: ForwardRequestMessage) => {
      if (stop.signal.aborted) return;
      try {
        session ??= this.#accept(call, message, stop.signal);
        session.requireMember();
        session.receive(message);
      } catch (error) {
        stop.abort(error);
        this.#options.log.warn({ error }, 'Refused a peer stream');
        call.emit('error', refusalStatus(error));
      }
    });
  }

  #accept(call: Call, message: ForwardRequestMessage, signal: Cancellation): Session {
    const peer = acceptHello(call, message.hello, this.#options.self, this.#options);
    requireMember(peer.node, this.#options.isMember);
    return new Session(this.#options, call, peer, signal);
  }
}

class Session {
  readonly #options: ForwardServerOptions;
  readonly #call: Call;
  readonly #peer: AcceptedPeer;
  readonly #signal: Cancellation;
  readonly #working = new Map<number, AbortController>();
  readonly #tasks = new Set<Promise<void>>();
  #replies: NonNullable<ForwardResponseMessage['replies']> = [];
  #frameBytes = 0;
  #scheduled = false;

  constructor(options: ForwardServerOptions, call: Call, peer: AcceptedPeer, signal: Cancellation) {
    this.#options = options;
    this.#call = call;
    this.#peer = peer;
    this.#signal = signal;
    call.write({ accepted: true });
    signal.addEventListener('abort', () => {
      for (const work of this.#working.values()) work.abort(signal.reason);
    });
  }

  /** @throws StrongroomError `cluster.unknown-member` */
  requireMember(): void {
    requireMember(this.#peer.node, this.#options.isMember);
  }

  receive(message: ForwardRequestMessage): void {
    for (const { id, request } of message.calls ?? []) {
      this.#track(this.#answer(id ?? 0, request ?? new Uint8Array()));
    }
    for (const id of message.cancelled ?? []) {
      this.#working
        .get(id)
        ?.abort(new StrongroomError('request.cancelled', 'The caller called it off'));
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#tasks);
    this.#flush();
  }

  #track(task: Promise<void>): void {
    this.#tasks.add(task);
    const done = (): boolean => this.#tasks.delete(task);
    task.then(done, (error: unknown) => {
      done();
      this.#call.emit('error', refusalStatus(error));
      throw error;
    });
  }

  async #answer(id: number, request: Uint8Array): Promise<void> {
    const work = new AbortController();
    try {
      if (this.#working.size >= IN_FLIGHT_MAX) {
        throw new StrongroomError(
          'request.overloaded',
          `Node ${this.#options.self.node} works on ${IN_FLIGHT_MAX} forwarded requests already`,
        );
      }
      this.#working.set(id, work);
      const answer = await this.#options.handle(request, work.signal, this.#peer);
      this.#reply({ id, answer }, answer.length);
    } catch (error) {
      this.#reply({ id, failure: encodeFailure(error) }, 256);
    } finally {
      this.#working.delete(id);
    }
  }

  #reply(
    reply: { id: number; answer: Uint8Array } | { id: number; failure: object },
    bytes: number,
  ): void {
    this.#replies.push(reply);
    this.#frameBytes += bytes;
    if (this.#frameBytes >= FRAME_BYTES) this.#flush();
    else this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** What is not yet taken by the peer is bounded by what it may have in flight. */
  #flush(): void {
    if (this.#replies.length === 0) return;
    const replies = this.#replies;
    this.#replies = [];
    this.#frameBytes = 0;
    if (!this.#signal.aborted && this.#call.writable) this.#call.write({ replies });
  }
}
