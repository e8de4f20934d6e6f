import type { Metadata } from '@grpc/grpc-js';
import { fromHex, hex, type Random, StrongroomError } from '../../lib/index.ts';
import type { Consistency } from '../../vault/index.ts';
import type { ApiBounds } from './bounds.ts';
import { parseConsistency } from './consistency.ts';

/** What a call says beside its message. */
export interface Caller {
  readonly token: string | undefined;
  readonly namespace: string;
  readonly consistency: Consistency | undefined;
  readonly requestId: Uint8Array | undefined;
  readonly correlationId: string;
  readonly remoteAddress: string;
}

const REQUEST_ID_BYTES_MIN = 16;
const REQUEST_ID_BYTES_MAX = 64;

/** Reads a call's metadata. @throws StrongroomError `request.invalid`, naming the entry. */
export function callerFrom(
  metadata: Metadata,
  remoteAddress: string,
  bounds: ApiBounds,
  random: Random,
): Caller {
  const consistency = only(metadata, 'x-strongroom-consistency');
  const requestId = only(metadata, 'x-strongroom-request-id');
  const correlationId =
    only(metadata, 'x-strongroom-correlation-id') ?? only(metadata, 'x-correlation-id');
  return {
    token: checkToken(tokenFrom(metadata), bounds),
    namespace: checkNamespace(only(metadata, 'x-strongroom-namespace') ?? '', bounds),
    consistency: consistency === undefined ? undefined : parseConsistency(consistency),
    requestId: requestId === undefined ? undefined : checkRequestId(bytesOfHex(requestId)),
    correlationId: checkCorrelationId(correlationId ?? '', bounds, random),
    remoteAddress,
  };
}

function tokenFrom(metadata: Metadata): string | undefined {
  const token = only(metadata, 'x-strongroom-token');
  const authorization = only(metadata, 'authorization');
  if (authorization === undefined) return token;
  const [, bearer] = /^bearer +(\S+)$/i.exec(authorization) ?? [];
  if (bearer === undefined) throw invalid('authorization', 'is not "Bearer" and a token');
  if (token !== undefined && token !== bearer)
    throw invalid('authorization', 'names another token than x-strongroom-token');
  return bearer;
}

/** An entry that came twice could mean either: it is refused. */
function only(metadata: Metadata, key: string): string | undefined {
  const values = metadata.get(key);
  if (values.length > 1) throw invalid(key, 'is given more than once');
  const [value] = values;
  return typeof value === 'string' ? value : undefined;
}

/** "" is no token. @throws `request.invalid` */
export function checkToken(token: string | undefined, bounds: ApiBounds): string | undefined {
  if (token === undefined || token === '') return undefined;
  if (Buffer.byteLength(token) > bounds.tokenBytesMax)
    throw invalid('token', `is longer than ${bounds.tokenBytesMax} bytes`);
  return token;
}

/** @throws `request.invalid` */
export function checkNamespace(namespace: string, bounds: ApiBounds): string {
  if (Buffer.byteLength(namespace) > bounds.namespaceBytesMax)
    throw invalid('namespace', `is longer than ${bounds.namespaceBytesMax} bytes`);
  return namespace.replace(/^\/+|\/+$/g, '');
}

/** @throws `request.invalid` */
export function checkRequestId(id: Uint8Array): Uint8Array {
  if (id.length < REQUEST_ID_BYTES_MIN || id.length > REQUEST_ID_BYTES_MAX)
    throw invalid(
      'request id',
      `has ${id.length} bytes, not ${REQUEST_ID_BYTES_MIN} to ${REQUEST_ID_BYTES_MAX}`,
    );
  return id;
}

/** Made up when there is none. Printable, because it goes into log lines. @throws `request.invalid` */
export function checkCorrelationId(id: string, bounds: ApiBounds, random: Random): string {
  if (id === '') return hex(random.bytes(8));
  if (id.length > bounds.correlationIdBytesMax || !/^[\x21-\x7e]+$/.test(id))
    throw invalid(
      'correlation id',
      `is not 1 to ${bounds.correlationIdBytesMax} printable ASCII characters without spaces`,
    );
  return id;
}

function bytesOfHex(text: string): Uint8Array {
  try {
    return fromHex(text);
  } catch (cause) {
    throw new StrongroomError('request.invalid', 'The request id is not hex digits in pairs', {
      cause,
    });
  }
}

function invalid(what: string, why: string): StrongroomError {
  return new StrongroomError('request.invalid', `The ${what} of this call ${why}`);
}
