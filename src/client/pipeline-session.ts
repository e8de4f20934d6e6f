import type { Client, ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { type Clock, StrongroomError, type Timer } from '../lib/index.ts';
import { decodeMessage, encodeMessage, type Input, type messages, methods } from '../wire/index.ts';
import { abortFailure, failureOf, failureOfCall, lateFailure, unreachable } from './failures.ts';
import { clientBounds } from './options.ts';

const open = methods['pipeline.open'];
type PipelineCall = Input<messages.PipelineCall> & { readonly operation: string };

interface Pending {
  readonly call: PipelineCall;
  readonly bytes: number;
  readonly resolve: (response: Uint8Array) => void;
  readonly reject: (failure: StrongroomError) => void;
  timer: Timer | undefined;
  unlisten: () => void;
}

/** One open pipeline to one node: calls of one turn of the event loop leave in one frame. */
export class PipelineSession {
  readonly #target: string;
  readonly #clock: Clock;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  readonly #inFlight = new Map<number, Pending>();
  #queue: Pending[] = [];
  #cancelled: number[] = [];
  #nextId = 1;
  #scheduled = false;
  #blocked = false;
  #ended = false;
  readonly #onSilent: () => void;
  /** Frames that came. */
  #heard = 0;
  #silence: Timer | undefined;

  /** @param onSilent its connection is to be left: nothing comes by it any more. */
  constructor(channel: Client, target: string, clock: Clock, onSilent: () => void) {
    this.#target = target;
    this.#clock = clock;
    this.#onSilent = onSilent;
    this.#stream = channel.makeBidiStreamRequest<Buffer, Buffer>(
      open.path,
      (bytes) => bytes,
      (bytes) => bytes,
    );
    this.#stream.on('data', (bytes: Buffer) => this.#onAnswers(bytes));
    this.#stream.on('drain', () => {
      this.#blocked = false;
      this.#schedule();
    });
    this.#stream.on('error', (error: ServiceError) => this.#end(failureOfCall(error)));
    this.#stream.on('end', () => this.#end(lost(this.#target, true)));
  }

  get ended(): boolean {
    return this.#ended;
  }

  /**
   * @returns the encoded response.
   * @throws StrongroomError
   */
  call(
    call: PipelineCall,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#ended) throw lost(this.#target, false);
      if (signal?.aborted === true) throw abortFailure(signal);
      if (this.#queue.length >= clientBounds.waitingMax) throw queueFull();
      const bytes = call.request?.length ?? 0;
      if (bytes + 8192 > clientBounds.messageBytesMax) throw tooLarge(bytes);
      const pending: Pending = { call, bytes, resolve, reject, timer: undefined, unlisten() {} };
      pending.timer = this.#clock.after(timeoutMs, () =>
        this.#giveUp(pending, lateFailure(call.operation)),
      );
      if (signal !== undefined) {
        const onAbort = () => this.#giveUp(pending, abortFailure(signal));
        signal.addEventListener('abort', onAbort, { once: true });
        pending.unlisten = () => signal.removeEventListener('abort', onAbort);
      }
      this.#queue.push(pending);
      this.#schedule();
    });
  }

  close(): void {
    this.#end(unreachable('the client was closed', { isSent: true }));
    this.#stream.cancel();
  }

  #schedule(): void {
    if (this.#scheduled || this.#ended) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (!this.#ended && !this.#blocked) {
      const calls = this.#nextCalls();
      const cancel = this.#cancelled.splice(0, clientBounds.frameCallsMax);
      if (calls.length === 0 && cancel.length === 0) return;
      const frame = encodeMessage(open.request, { calls, cancel });
      this.#blocked = !this.#stream.write(asBuffer(frame));
    }
  }

  #nextCalls(): Input<messages.PipelineCall>[] {
    const calls: Input<messages.PipelineCall>[] = [];
    let bytes = 0;
    let taken = 0;
    for (const pending of this.#queue) {
      const full = calls.length > 0 && bytes + pending.bytes > clientBounds.frameBytes;
      if (full || calls.length >= clientBounds.frameCallsMax) break;
      if (this.#inFlight.size >= clientBounds.inFlightMax) break;
      const id = this.#nextId++;
      this.#inFlight.set(id, pending);
      calls.push({ ...pending.call, id });
      bytes += pending.bytes;
      taken++;
    }
    this.#queue.splice(0, taken);
    return calls;
  }

  #onAnswers(bytes: Buffer): void {
    this.#heard++;
    let answers: readonly messages.PipelineAnswer[];
    try {
      ({ answers } = decodeMessage(open.response, bytes));
    } catch {
      // Whose answers these were is not known: all are asked again.
      this.close();
      return;
    }
    for (const { id, error, response } of answers) {
      const pending = this.#inFlight.get(id);
      if (pending === undefined) continue;
      this.#inFlight.delete(id);
      settle(pending);
      if (error === undefined) pending.resolve(response);
      else pending.reject(failureOf(error));
    }
    if (this.#queue.length > 0) this.#schedule();
  }

  #giveUp(pending: Pending, failure: StrongroomError): void {
    settle(pending);
    const waiting = this.#queue.indexOf(pending);
    if (waiting >= 0) this.#queue.splice(waiting, 1);
    for (const [id, other] of this.#inFlight) {
      if (other !== pending) continue;
      this.#inFlight.delete(id);
      this.#cancelled.push(id);
      this.#schedule();
      this.#expectSign();
      break;
    }
    pending.reject(failure);
  }

  /**
   * A node answers at once what was called off. One that says nothing at all is not there any more,
   * though its connection seems to be: whatever else would be asked here would be lost with it.
   */
  #expectSign(): void {
    if (this.#silence !== undefined || this.#ended) return;
    const heard = this.#heard;
    const look = () => {
      this.#silence = undefined;
      if (this.#ended || this.#heard !== heard) return;
      this.#end(lost(this.#target, true));
      this.#stream.cancel();
      this.#onSilent();
    };
    // Timers run before sockets are read: what came while this process stood still is read first.
    this.#silence = this.#clock.after(clientBounds.silenceMs, () => setImmediate(look));
  }

  #end(failure: StrongroomError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#silence?.cancel();
    const waiting = [...this.#inFlight.values(), ...this.#queue];
    this.#inFlight.clear();
    this.#queue = [];
    for (const pending of waiting) {
      settle(pending);
      pending.reject(failure);
    }
  }
}

function settle(pending: Pending): void {
  pending.timer?.cancel();
  pending.unlisten();
}

/** The same bytes: gRPC wants a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function lost(target: string, isSent: boolean): StrongroomError {
  return unreachable(`the connection to ${target} ended`, { isSent });
}

function queueFull(): StrongroomError {
  return new StrongroomError(
    'request.overloaded',
    `${clientBounds.waitingMax} calls wait in this client already; wait for answers`,
  );
}

function tooLarge(bytes: number): StrongroomError {
  return new StrongroomError(
    'request.too-large',
    `The request has ${bytes} bytes; a message holds ${clientBounds.messageBytesMax}`,
  );
}
