import { type Clock, type Random, StrongroomError } from '../../lib/index.ts';
import type { Counter, Gauge, Histogram, Logger, Metrics } from '../../telemetry/index.ts';
import type { Vault, VaultAnswer } from '../../vault/index.ts';
import {
  type AnyMethod,
  decodeStrictly,
  encodeMessage,
  type MessageType,
  WireFormatError,
} from '../../wire/index.ts';
import { Admission } from './admission.ts';
import type { ApiBounds } from './bounds.ts';
import type { CallScope } from './call-scope.ts';
import type { Caller } from './caller.ts';
import { asFailure } from './error-status.ts';

export interface ApiParts {
  readonly vault: Vault;
  readonly bounds: ApiBounds;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

const SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];

/** Runs calls, however they came: lets them in, decodes, asks the vault, encodes, counts. */
export class CallRunner {
  readonly parts: ApiParts;
  readonly admission: Admission;
  readonly #calls: Counter;
  readonly #seconds: Histogram;
  readonly #inFlight: Gauge;
  #stopping = false;
  #openStreams = 0;

  constructor(parts: ApiParts) {
    const { metrics } = parts;
    this.parts = parts;
    this.admission = new Admission(parts.bounds, parts.clock);
    this.#calls = metrics.counter({
      name: 'strongroom_api_calls_total',
      help: 'Calls answered, by operation and by error code ("ok": none).',
      labels: ['operation', 'code'],
    });
    this.#seconds = metrics.histogram({
      name: 'strongroom_api_call_seconds',
      help: 'Time from a decoded call to its encoded answer.',
      labels: ['operation'],
      buckets: SECONDS_BUCKETS,
    });
    this.#inFlight = metrics.gauge({
      name: 'strongroom_api_in_flight_calls',
      help: 'Calls that are being worked on.',
    });
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  stop(): void {
    this.#stopping = true;
  }

  /**
   * @param request the operation's encoded request message.
   * @returns the encoded response message.
   * @throws StrongroomError and nothing else.
   */
  async run(
    method: AnyMethod,
    request: Uint8Array,
    caller: Caller,
    scope: CallScope,
  ): Promise<Uint8Array> {
    const { operation } = method;
    const startedAtMs = this.parts.clock.monotonicMs();
    try {
      const response = await this.#runChecked(method, request, caller, scope);
      this.#calls.add(1, { operation, code: 'ok' });
      return response;
    } catch (error) {
      const failure = asFailure(error, this.parts.log, caller.correlationId);
      this.#calls.add(1, { operation, code: failure.code });
      throw failure;
    } finally {
      this.#seconds.observe((this.parts.clock.monotonicMs() - startedAtMs) / 1000, { operation });
    }
  }

  async #runChecked(
    method: AnyMethod,
    request: Uint8Array,
    caller: Caller,
    scope: CallScope,
  ): Promise<Uint8Array> {
    const { vault, bounds } = this.parts;
    this.refuseWhenStopping();
    if (!vault.operations.has(method.operation)) throw unknownOperation(method.operation);
    const leave = this.admission.enter(caller.remoteAddress);
    this.#inFlight.set(this.admission.inFlight);
    let work: Promise<VaultAnswer>;
    try {
      const payload = decodeRequest(method, request);
      scope.signal.throwIfAborted();
      work = vault.handle({
        operation: method.operation,
        payload,
        signal: scope.signal,
        ...caller,
      });
    } catch (error) {
      leave();
      throw error;
    }
    // The call counts as in flight until the vault is done with it, though nobody may wait any more.
    const done = () => {
      leave();
      this.#inFlight.set(this.admission.inFlight);
    };
    work.then(done, done);
    const { payload } = await scope.until(work);
    const response = encodeMessage(method.response, payload);
    if (response.length > bounds.messageBytesMax) throw answerTooLarge(response.length, bounds);
    return response;
  }

  /** @throws StrongroomError `node.stopping` */
  refuseWhenStopping(): void {
    if (this.#stopping) throw stopping();
  }

  /**
   * Counts a stream that stays open.
   *
   * @returns what to call, once, when it is closed.
   * @throws StrongroomError `node.stopping`, `request.overloaded`
   */
  openStream(): () => void {
    this.refuseWhenStopping();
    const { openStreamsMax } = this.parts.bounds;
    if (this.#openStreams >= openStreamsMax)
      throw new StrongroomError(
        'request.overloaded',
        `This node has ${openStreamsMax} open streams, which is as many as it accepts; ask another node`,
        { details: { max: openStreamsMax } },
      );
    this.#openStreams++;
    let open = true;
    return () => {
      if (open) this.#openStreams--;
      open = false;
    };
  }
}

/** @throws StrongroomError `request.invalid` */
export function decodeRequest<Shape>(
  method: { readonly operation: string; readonly request: MessageType<Shape> },
  bytes: Uint8Array,
): Shape {
  try {
    return decodeStrictly(method.request, bytes);
  } catch (error) {
    if (!(error instanceof WireFormatError)) throw error;
    throw new StrongroomError(
      'request.invalid',
      `The request message of "${method.operation}" cannot be read: ${error.message}`,
      { cause: error },
    );
  }
}

export function stopping(): StrongroomError {
  return new StrongroomError('node.stopping', 'This node is shutting down; ask another one');
}

export function unknownOperation(operation: string): StrongroomError {
  const name = /^[\w.-]{1,64}$/.test(operation) ? `"${operation}"` : 'of that name';
  return new StrongroomError(
    'request.unknown-operation',
    `This node has no operation ${name}; client and server may be of different versions`,
  );
}

function answerTooLarge(bytes: number, bounds: ApiBounds): StrongroomError {
  return new StrongroomError(
    'request.too-large',
    `The answer has ${bytes} bytes, more than the ${bounds.messageBytesMax} of one message; ask for less`,
    { details: { bytes, max: bounds.messageBytesMax } },
  );
}
