import { type ErrorCode, type ErrorDetails, errorTable, StrongroomError } from '../../lib/index.ts';
import type { VaultAnswer, VaultRequest } from '../../vault/index.ts';
import {
  type AnyMethod,
  anyMethods,
  decodeMessage,
  encodeMessage,
  internal,
  type MessageType,
  WireFormatError,
} from '../../wire/index.ts';
import { decodeRequest, unknownOperation } from './call-runner.ts';
import { formatConsistency, parseConsistency } from './consistency.ts';

const { ForwardedRequest, ForwardedAnswer } = internal.internal.v1;
type WireError = Parameters<typeof ForwardedAnswer.encode>[0]['error'];

/** What cannot travel: the other end has a signal of its own. */
export type ForwardedVaultRequest = Omit<VaultRequest, 'signal'>;

/**
 * A whole request as bytes, for the node that can answer it.
 *
 * @throws StrongroomError `request.unknown-operation`
 */
export function encodeForwarded(request: ForwardedVaultRequest): Uint8Array {
  const { consistency, token, requestId } = request;
  return ForwardedRequest.encode({
    operation: request.operation,
    namespace: request.namespace,
    payload: encodeMessage(methodOf(request.operation).request, request.payload),
    consistency: consistency === undefined ? '' : formatConsistency(consistency),
    correlationId: request.correlationId,
    remoteAddress: request.remoteAddress,
    ...(token === undefined ? {} : { token }),
    ...(requestId === undefined ? {} : { requestId }),
  }).finish();
}

/** @throws StrongroomError `request.invalid`, `request.unknown-operation` */
export function decodeForwarded(bytes: Uint8Array): ForwardedVaultRequest {
  const message = readOrRefuse(() =>
    decodeMessage(ForwardedRequest as unknown as MessageType<ForwardedFields>, bytes),
  );
  return {
    operation: message.operation,
    namespace: message.namespace,
    token: message.token,
    payload: decodeRequest(methodOf(message.operation), message.payload),
    requestId: message.requestId,
    consistency: message.consistency === '' ? undefined : parseConsistency(message.consistency),
    correlationId: message.correlationId,
    remoteAddress: message.remoteAddress,
  };
}

interface ForwardedFields {
  readonly operation: string;
  readonly namespace: string;
  readonly token?: string;
  readonly payload: Uint8Array;
  readonly requestId?: Uint8Array;
  readonly consistency: string;
  readonly correlationId: string;
  readonly remoteAddress: string;
}

/** @throws StrongroomError `request.unknown-operation` */
export function encodeForwardedAnswer(operation: string, answer: VaultAnswer): Uint8Array {
  const response = encodeMessage(methodOf(operation).response, answer.payload);
  return ForwardedAnswer.encode({ response }).finish();
}

export function encodeForwardedError(failure: StrongroomError): Uint8Array {
  const details = Object.fromEntries(
    Object.entries(failure.details).map(([key, value]) => [key, wireDetail(value)]),
  );
  return ForwardedAnswer.encode({
    error: { code: failure.code, message: failure.message, details },
  }).finish();
}

/**
 * @returns the answer.
 * @throws StrongroomError the failure that came back, with the code it had there.
 */
export function decodeForwardedAnswer(operation: string, bytes: Uint8Array): VaultAnswer {
  const method = methodOf(operation);
  const answer = readOrRefuse(() => ForwardedAnswer.decode(bytes));
  if (answer.error != null) throw failureOf(answer.error);
  const { response } = answer;
  // An empty message is a response too: which of the two came is told by presence.
  if (response == null)
    throw new StrongroomError('request.invalid', 'A forwarded answer is neither answer nor error');
  const payload = readOrRefuse(() => decodeMessage(method.response, response));
  return { payload };
}

function failureOf(error: NonNullable<WireError>): StrongroomError {
  const details: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(error.details ?? {}))
    details[key] = value.text ?? value.number ?? value.truth ?? '';
  const known = error.code != null && Object.hasOwn(errorTable, error.code);
  return new StrongroomError(
    known ? (error.code as ErrorCode) : 'node.internal',
    error.message ?? '',
    { details: details satisfies ErrorDetails },
  );
}

function wireDetail(value: string | number | boolean) {
  if (typeof value === 'string') return { text: value };
  return typeof value === 'number' ? { number: value } : { truth: value };
}

function methodOf(operation: string): AnyMethod {
  const method = anyMethods.get(operation);
  if (method === undefined) throw unknownOperation(operation);
  return method;
}

/** @throws StrongroomError `request.invalid`: the nodes do not speak the same protocol. */
function readOrRefuse<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof StrongroomError) throw cause;
    const why = cause instanceof WireFormatError ? cause.message : 'not a valid protobuf message';
    throw new StrongroomError('request.invalid', `A forwarded message cannot be read: ${why}`, {
      cause,
    });
  }
}
