import type { ChannelCredentials, Client, ClientDuplexStream } from '@grpc/grpc-js';
import { type Cancellation, type Deferred, deferred, StrongroomError } from '../../lib/index.ts';
import { type NodeId, type SelfIdentity, sayHello } from '../../raft/index.ts';
import {
  type ForwardRequestMessage,
  type ForwardResponseMessage,
  forwardMethod,
  openStream,
} from '../peer-channel.ts';
import { decodeFailure } from '../peer-failure.ts';

export interface ForwardLinkOptions {
  readonly self: SelfIdentity;
  readonly node: NodeId;
  readonly address: string;
  readonly credentials: ChannelCredentials;
  readonly channelOptions: Readonly<Record<string, string | number>>;
  readonly onClosed: (error: StrongroomError) => void;
}

interface Waiting {
  readonly answer: Deferred<Uint8Array>;
  sent: boolean;
}

/** Requests that may wait for their answer, and bytes that may wait to be sent. */
const IN_FLIGHT_MAX = 8192;
const QUEUED_BYTES_MAX = 64 * 1024 * 1024;
const FRAME_BYTES = 1024 * 1024;

/**
 * One stream to one node. Requests of one turn share a message. Nothing is sent before the other
 * side has accepted the greeting, so until then a failure means: certainly not executed.
 */
export class ForwardLink {
  readonly #options: ForwardLinkOptions;
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<ForwardRequestMessage, ForwardResponseMessage>;
  readonly #calls = new Map<number, Waiting>();
  #queue: { readonly id: number; readonly request: Uint8Array }[] = [];
  #queuedBytes = 0;
  #cancelled: number[] = [];
  #lastId = 0;
  #accepted = false;
  #blocked = false;
  #scheduled = false;
  #closed: StrongroomError | undefined;

  constructor(options: ForwardLinkOptions) {
    this.#options = options;
    const { address, credentials, channelOptions } = options;
    ({ client: this.#client, stream: this.#stream } = openStream(
      address,
      credentials,
      forwardMethod,
      channelOptions,
    ));
    this.#stream.on('data', (message) => this.#receive(message));
    this.#stream.on('drain', () => {
      this.#blocked = false;
      this.#flush();
    });
    this.#stream.on('error', (cause) => this.#close(cause));
    this.#stream.on('end', () => this.#close(undefined));
    this.#stream.write({ hello: sayHello(options.self, options.node) });
  }

  get accepted(): boolean {
    return this.#accepted;
  }

  /** The caller has checked that `signal` is not aborted. */
  async send(request: Uint8Array, signal: Cancellation): Promise<Uint8Array> {
    this.#checkRoom(request.length);
    const id = ++this.#lastId;
    const waiting = { answer: deferred<Uint8Array>(), sent: false };
    this.#calls.set(id, waiting);
    this.#queue.push({ id, request });
    this.#queuedBytes += request.length;
    this.#schedule();
    return await this.#wait(waiting, signal, () => {
      this.#calls.delete(id);
      if (waiting.sent) this.#cancelled.push(id);
      this.#schedule();
    });
  }

  close(): void {
    this.#close(undefined);
  }

  async #wait(waiting: Waiting, signal: Cancellation, forget: () => void): Promise<Uint8Array> {
    const abort = (): void => {
      forget();
      waiting.answer.reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await waiting.answer.promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #checkRoom(bytes: number): void {
    if (this.#closed !== undefined) throw this.#closed;
    const full = this.#calls.size >= IN_FLIGHT_MAX;
    if (!full && this.#queuedBytes + bytes <= QUEUED_BYTES_MAX) return;
    throw new StrongroomError(
      'request.overloaded',
      `Cannot forward a request to node ${this.#options.node}: too many are on their way already`,
    );
  }

  #schedule(): void {
    if (this.#scheduled || !this.#accepted) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (!this.#blocked && this.#accepted && this.#closed === undefined) {
      const message = this.#nextMessage();
      if (message === undefined) return;
      this.#blocked = !this.#stream.write(message);
    }
  }

  #nextMessage(): ForwardRequestMessage | undefined {
    const calls: { id: number; request: Uint8Array }[] = [];
    let bytes = 0;
    let taken = 0;
    for (const call of this.#queue) {
      if (bytes > 0 && bytes + call.request.length > FRAME_BYTES) break;
      taken++;
      this.#queuedBytes -= call.request.length;
      // Absent: called off before it was sent.
      const waiting = this.#calls.get(call.id);
      if (waiting === undefined) continue;
      waiting.sent = true;
      bytes += call.request.length;
      calls.push(call);
    }
    this.#queue = this.#queue.slice(taken);
    const cancelled = this.#cancelled;
    this.#cancelled = [];
    if (calls.length === 0 && cancelled.length === 0) return undefined;
    return { calls, cancelled };
  }

  #receive(message: ForwardResponseMessage): void {
    if (message.accepted === true && !this.#accepted) {
      this.#accepted = true;
      this.#schedule();
    }
    for (const { id, answer, failure } of message.replies ?? []) {
      const waiting = this.#calls.get(id ?? 0);
      this.#calls.delete(id ?? 0);
      if (failure) waiting?.answer.reject(decodeFailure(failure));
      else waiting?.answer.resolve(answer ?? new Uint8Array());
    }
  }

  #close(cause: unknown): void {
    if (this.#closed !== undefined) return;
    const { node, onClosed } = this.#options;
    const because = cause instanceof Error ? `: ${cause.message}` : '';
    const unreachable = new StrongroomError(
      'replication.unreachable',
      `Cannot forward a request to node ${node}: there is no connection${because}`,
      { cause, details: { node } },
    );
    const unknown = new StrongroomError(
      'replication.outcome-unknown',
      `The connection to node ${node} was lost while it worked on a request. It may have been executed; retry with the same request id`,
      { cause, details: { node } },
    );
    this.#closed = unreachable;
    for (const { answer, sent } of this.#calls.values())
      answer.reject(sent ? unknown : unreachable);
    this.#calls.clear();
    this.#queue = [];
    this.#stream.cancel();
    this.#client.close();
    onClosed(unreachable);
  }
}
