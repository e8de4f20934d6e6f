import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { InvariantError, StrongroomError } from '../../lib/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import { api, google, type messages } from '../../wire/index.ts';

/** Trailers are sent in one piece and clients bound them: what a person reads stays short. */
const MESSAGE_CHARACTERS_MAX = 1024;
const DETAIL_CHARACTERS_MAX = 256;
const DETAILS_MAX = 16;

/**
 * Any caught value as a failure that may be shown. What is not a `StrongroomError` is a bug: the
 * caller learns no more than the correlation id of the log line that has the facts.
 */
export function asFailure(error: unknown, log: Logger, correlationId: string): StrongroomError {
  if (error instanceof StrongroomError) return error;
  if (error instanceof InvariantError) {
    // Only the top of the process may catch it: it stops the node.
    queueMicrotask(() => {
      throw error;
    });
  }
  log.error({ error, correlationId }, 'a request failed for a reason that no code stands for');
  return new StrongroomError(
    'node.internal',
    `This node failed to answer because of a bug; its log has the facts under correlation id ` +
      `"${correlationId}"`,
    { details: { correlationId } },
  );
}

/** The failure as clients read it by program. */
export function errorDetail(failure: StrongroomError): messages.ErrorDetail {
  const details = Object.entries(failure.details)
    .slice(0, DETAILS_MAX)
    .map(([key, value]) => [key, String(value).slice(0, DETAIL_CHARACTERS_MAX)] as const);
  return {
    code: failure.code,
    message: failure.message.slice(0, MESSAGE_CHARACTERS_MAX),
    details: Object.fromEntries(details),
    retry: failure.traits.retry,
    status: status[failure.traits.grpc],
  };
}

/**
 * The failure as a gRPC status: `strongroom-error-bin` holds an ErrorDetail, and
 * `grpc-status-details-bin` the same inside a google.rpc.Status for clients of other make.
 */
export function errorStatus(failure: StrongroomError): Pick<StatusObject, 'code' | 'details'> & {
  readonly metadata: Metadata;
} {
  const detail = errorDetail(failure);
  const bytes = api.v1.ErrorDetail.encode(detail).finish();
  const rich = google.rpc.Status.encode({
    code: detail.status,
    message: detail.message,
    details: [{ type_url: 'type.googleapis.com/strongroom.v1.ErrorDetail', value: bytes }],
  }).finish();
  const metadata = new Metadata();
  metadata.set('strongroom-error-bin', Buffer.from(bytes));
  metadata.set('grpc-status-details-bin', Buffer.from(rich));
  return { code: detail.status, details: detail.message, metadata };
}
