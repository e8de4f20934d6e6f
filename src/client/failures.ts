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
    case status.CANCELLED:
      return new StrongroomError('request.cancelled', 'The call was called off', { cause: error });
    default:
      return unreachable(error.details, error);
  }
}

/** Whether what was sent arrived is not known. */
export function unreachable(why: string, cause?: unknown): StrongroomError {
  return new StrongroomError('client.unreachable', `Lost the connection to the node: ${why}`, {
    cause,
  });
}
