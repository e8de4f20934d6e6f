import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import { StrongroomError } from '../../lib/index.ts';
import {
  anyMethods,
  decodeStrictly,
  encodeMessage,
  type Input,
  type messages,
  methods,
  WireFormatError,
} from '../../wire/index.ts';
import { type CallRunner, stopping, unknownOperation } from './call-runner.ts';
import { CallScope } from './call-scope.ts';
import {
  type Caller,
  callerFrom,
  checkCorrelationId,
  checkNamespace,
  checkRequestId,
  checkToken,
} from './caller.ts';
import { consistencyOf } from './consistency.ts';
import { asFailure, errorDetail, errorStatus } from './error-status.ts';
import { asBuffer } from './unary.ts';

const pipelineOpen = methods['pipeline.open'];

/** PipelineService/Open. `open` holds the open pipelines, so that a stopping node can end them. */
export function pipelineHandler(
  runner: CallRunner,
  open: Set<Pipeline>,
): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    try {
      const { bounds, random } = runner.parts;
      const defaults = callerFrom(call.metadata, call.getPeer(), bounds, random);
      const close = runner.openStream();
      const pipeline = new Pipeline(runner, call, defaults, () => {
        open.delete(pipeline);
        close();
      });
      open.add(pipeline);
    } catch (error) {
      call.emit('error', errorStatus(asFailure(error, runner.parts.log, '')));
    }
  };
}

/**
 * One open pipeline: calls come in frames, are worked on side by side, and answers leave together,
 * one frame a turn of the event loop.
 */
export class Pipeline {
  readonly #runner: CallRunner;
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  readonly #onClose: () => void;
  readonly #inFlight = new Map<number, CallScope>();
  #defaults: Caller;
  #answers: Input<messages.PipelineAnswer>[] = [];
  #answerBytes = 0;
  #scheduled = false;
  #callerDone = false;
  #closed = false;

  constructor(
    runner: CallRunner,
    call: ServerDuplexStream<Buffer, Buffer>,
    defaults: Caller,
    onClose: () => void,
  ) {
    this.#runner = runner;
    this.#call = call;
    this.#defaults = defaults;
    this.#onClose = onClose;
    call.on('data', (bytes: Buffer) => this.#onFrame(bytes));
    // A caller that does not read its answers is not read either.
    call.on('drain', () => call.resume());
    call.on('end', () => {
      this.#callerDone = true;
      this.#endWhenIdle();
    });
    call.on('cancelled', () => this.#close());
    call.on('error', () => this.#close());
  }

  /** Calls that came are answered, new ones refused; then the stream ends. */
  stop(): void {
    this.#endWhenIdle();
  }

  #onFrame(bytes: Buffer): void {
    if (this.#closed) return;
    try {
      const frame = this.#readFrame(bytes);
      if (frame.defaults !== undefined) this.#setDefaults(frame.defaults);
      for (const id of frame.cancel) this.#inFlight.get(id)?.cancel();
      for (const one of frame.calls) this.#begin(one);
    } catch (error) {
      // Whose answer would it be? What cannot be read ends the stream.
      this.#fail(asFailure(error, this.#runner.parts.log, this.#defaults.correlationId));
    }
  }

  #readFrame(bytes: Buffer): messages.PipelineFrame {
    const { pipelineFrameItemsMax } = this.#runner.parts.bounds;
    let frame: messages.PipelineFrame;
    try {
      frame = decodeStrictly(pipelineOpen.request, bytes);
    } catch (cause) {
      if (!(cause instanceof WireFormatError)) throw cause;
      throw invalid(`A pipeline frame cannot be read: ${cause.message}`, cause);
    }
    if (frame.calls.length + frame.cancel.length > pipelineFrameItemsMax)
      throw invalid(`A pipeline frame has more than ${pipelineFrameItemsMax} calls and cancels`);
    for (const { id } of frame.calls) {
      if (!Number.isSafeInteger(id)) throw invalid('A call id is not a number below 2^53');
    }
    return frame;
  }

  #setDefaults(defaults: messages.PipelineDefaults): void {
    const { bounds } = this.#runner.parts;
    this.#defaults = {
      ...this.#defaults,
      token: checkToken(defaults.token, bounds),
      namespace: checkNamespace(defaults.namespace, bounds),
    };
  }

  #begin(one: messages.PipelineCall): void {
    const { clock, bounds, log } = this.#runner.parts;
    if (this.#inFlight.has(one.id))
      throw invalid(`Call id ${one.id} is in flight already on this stream`);
    if (this.#inFlight.size >= bounds.pipelineInFlightMax) {
      this.#answer(one.id, undefined, tooManyInFlight(bounds.pipelineInFlightMax));
      return;
    }
    const timeoutMs =
      one.deadlineMs === 0 ? bounds.callMsDefault : Math.min(one.deadlineMs, bounds.callMsMax);
    const scope = new CallScope(clock, timeoutMs);
    this.#inFlight.set(one.id, scope);
    this.#run(one, scope).then(
      (response) => this.#settle(one.id, response, undefined),
      (error: unknown) =>
        this.#settle(one.id, undefined, asFailure(error, log, this.#defaults.correlationId)),
    );
  }

  async #run(one: messages.PipelineCall, scope: CallScope): Promise<Uint8Array> {
    const method = anyMethods.get(one.operation);
    if (method?.kind !== 'unary') throw unknownOperation(one.operation);
    return this.#runner.run(method, one.request, this.#callerOf(one), scope);
  }

  #callerOf(one: messages.PipelineCall): Caller {
    const { bounds, random } = this.#runner.parts;
    const defaults = this.#defaults;
    return {
      token: one.token === undefined ? defaults.token : checkToken(one.token, bounds),
      namespace:
        one.namespace === undefined ? defaults.namespace : checkNamespace(one.namespace, bounds),
      consistency:
        one.consistency === undefined ? defaults.consistency : consistencyOf(one.consistency),
      requestId: one.requestId.length === 0 ? undefined : checkRequestId(one.requestId),
      correlationId: checkCorrelationId(one.correlationId, bounds, random),
      remoteAddress: defaults.remoteAddress,
    };
  }

  #settle(id: number, response: Uint8Array | undefined, failure: StrongroomError | undefined) {
    this.#inFlight.get(id)?.[Symbol.dispose]();
    this.#inFlight.delete(id);
    this.#answer(id, response, failure);
  }

  #answer(id: number, response: Uint8Array | undefined, failure: StrongroomError | undefined) {
    if (this.#closed) return;
    this.#answers.push(
      failure === undefined
        ? { id, response: response ?? EMPTY }
        : { id, error: errorDetail(failure) },
    );
    this.#answerBytes += response?.length ?? 0;
    if (this.#answerBytes >= this.#runner.parts.bounds.pipelineAnswerBytes) this.#flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#flush());
    }
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    if (this.#answers.length > 0) {
      const frame = encodeMessage(pipelineOpen.response, { answers: this.#answers });
      this.#answers = [];
      this.#answerBytes = 0;
      if (!this.#call.write(asBuffer(frame))) this.#call.pause();
    }
    this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    if (this.#closed || this.#inFlight.size > 0 || this.#answers.length > 0) return;
    if (this.#runner.stopping) this.#fail(stopping());
    else if (this.#callerDone) {
      this.#close();
      this.#call.end();
    }
  }

  #fail(failure: StrongroomError): void {
    if (this.#closed) return;
    this.#close();
    this.#call.emit('error', errorStatus(failure));
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const scope of this.#inFlight.values()) {
      scope.cancel();
      scope[Symbol.dispose]();
    }
    this.#inFlight.clear();
    this.#answers = [];
    this.#onClose();
  }
}

const EMPTY = new Uint8Array();

function invalid(message: string, cause?: unknown): StrongroomError {
  return new StrongroomError('request.invalid', message, { cause });
}

function tooManyInFlight(max: number): StrongroomError {
  return new StrongroomError(
    'request.overloaded',
    `This pipeline has ${max} calls in flight, as many as it accepts; wait for answers, or open another`,
    { details: { max } },
  );
}
