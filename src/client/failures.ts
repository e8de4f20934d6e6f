import { type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorCode, errorTable, StrongroomError } from '../lib/index.ts';
import { api } from '../wire/index.ts';

interface WireFailure {
  readonly code?: string | null;
  readonly message?: string | null;
  readonly details?: Readonly<Record<string, string>> | null;
}

/** The failure that a node told of, with its stable code. */
export function failureOf(told: WireFailure): StrongroomError {
  const code = told.code ?? '';
  const known: ErrorCode = Object.hasOwn(errorTable, code) ? (code as ErrorCode) : 'node.internal';
  const message =
    known === code ? (told.message ?? '') : `The node failed with "${code}": ${told.message ?? ''}`;
  return new StrongroomError(known, message, { details: told.details ?? {} });
}

/** A failure of the connection or of a call, as gRPC tells it. */
export function failureOfCall(error: ServiceError): StrongroomError {
  const [detail] = error.metadata?.get('strongroom-error-bin') ?? [];
  if (detail !== undefined && typeof detail !== 'string') {
    return failureOf(api.v1.ErrorDetail.decode(detail));
  }
  switch (error.code) {
    case status.DEADLINE_EXCEEDED:
      return new StrongroomError('request.deadline-exceeded', 'The call took too long', {
        cause: error,
      });
    // gRPC's own refusals, of a message over a bound or of a method that is not there.
    case status.RESOURCE_EXHAUSTED:
      return new StrongroomError('request.too-large', `The node refused: ${error.details}`);
    case status.UNIMPLEMENTED:
      return new StrongroomError('request.unknown-operation', `The node refused: ${error.details}`);
    // CANCELLED too: it comes when the other side went away; who cancels here knows it already.
    default:
      return unreachable(error.details, { isSent: true, cause: error });
  }
}

/** @param isSent whether the node may have had the request; if not, it certainly did nothing. */
export function unreachable(
  why: string,
  { isSent, cause }: { readonly isSent: boolean; readonly cause?: unknown },
): StrongroomError {
  return new StrongroomError('client.unreachable', `Cannot reach the node: ${why}`, {
    details: { isSent },
    cause,
  });
}

/** @param before what an earlier attempt was told: why the last one was not answered, most likely. */
export function lateFailure(operation: string, before?: StrongroomError): StrongroomError {
  const why = before === undefined ? '' : ` (before that: ${before.code}, ${before.message})`;
  return new StrongroomError(
    'request.deadline-exceeded',
    `"${operation}" was not answered in time${why}; a write may or may not have been made, retry it ` +
      'with the same request id',
    { cause: before },
  );
}

/** What the fired signal of a caller comes to. */
export function abortFailure(signal: AbortSignal): StrongroomError {
  const reason: unknown = signal.reason;
  if (reason instanceof StrongroomError) return reason;
  const isLate = reason instanceof Error && reason.name === 'TimeoutError';
  return new StrongroomError(
    isLate ? 'request.deadline-exceeded' : 'request.cancelled',
    isLate ? 'No node answered in time' : 'The call was called off',
    { cause: reason },
  );
}
