import { createHash } from 'node:crypto';
import type { Barrier, Place } from '../barrier/index.ts';
import { hex, lengthPrefixed, StrongroomError, utf8Bytes } from '../lib/index.ts';
import { absent } from './message.ts';
import type { NamespaceRef } from './namespaces/namespace-record.ts';
import type { FieldSpec, MessageSpec, OperationFace } from './operation.ts';
import { decodeRecord, encodeRecord, SYSTEM_MOUNT, systemKind } from './places.ts';

export const REQUEST_ID_BYTES_MIN = 16;
export const REQUEST_ID_BYTES_MAX = 64;
/** Below what the store takes, sealing included. */
const RECEIPT_BYTES_MAX = 12 * 1024;

type Plain = Readonly<Record<string, unknown>>;

/**
 * What a client's request id is known by inside: bound to who asked for what, so that neither
 * another's id nor one used twice by mistake gives an answer that was meant for something else.
 *
 * A part of the protocol: the try and the retry may meet nodes of two versions, while a cluster is
 * upgraded, and where they name it differently the request is carried out twice.
 *
 * @throws StrongroomError `request.invalid` for an id of the wrong length.
 */
export function scopedRequestId(options: {
  readonly requestId: Uint8Array;
  readonly tokenHash: string;
  readonly namespace: NamespaceRef;
  readonly operation: Pick<OperationFace, 'name' | 'request'>;
  /** Checked. */
  readonly payload: Plain;
}): Uint8Array {
  const { requestId, operation } = options;
  if (requestId.length < REQUEST_ID_BYTES_MIN || requestId.length > REQUEST_ID_BYTES_MAX) {
    throw new StrongroomError(
      'request.invalid',
      `Cannot take the request: its id must have ${REQUEST_ID_BYTES_MIN} to ${REQUEST_ID_BYTES_MAX} bytes`,
    );
  }
  const scope = lengthPrefixed(
    requestId,
    utf8Bytes(options.tokenHash),
    options.namespace.uuid,
    utf8Bytes(operation.name),
    ...canonical(operation.request, options.payload),
  );
  return new Uint8Array(createHash('sha256').update(scope).digest());
}

/**
 * The payload without its bytes, and then those. Checked payloads have their fields in the order of
 * their declaration, which is the protocol's. Whether bytes came as a `Buffer` or not says nothing
 * about a request: a retry may come by another way than its first try.
 */
function canonical(spec: MessageSpec, payload: Plain): readonly Uint8Array[] {
  const bytes: Uint8Array[] = [];
  const outline = utf8Bytes(JSON.stringify(outlineOf(spec, payload, bytes)));
  return [outline, ...bytes];
}

/** Without what is not there or says nothing: the next version's new fields rename no request. */
function outlineOf(spec: MessageSpec, message: Plain, bytes: Uint8Array[]): Plain {
  const outline: Record<string, unknown> = {};
  for (const name in message) {
    const field = spec[name];
    const value = message[name];
    if (field === undefined || value === undefined || isDefault(field, value)) continue;
    outline[name] = withoutBytes(field.type, value, bytes);
  }
  return outline;
}

function isDefault(field: FieldSpec, value: unknown): boolean {
  if (value instanceof Uint8Array) return field.optional !== true && value.length === 0;
  const unsaid = absent(field);
  if (typeof unsaid !== 'object') return value === unsaid;
  return Object.keys(value as object).length === 0;
}

function withoutBytes(type: FieldSpec['type'], value: unknown, bytes: Uint8Array[]): unknown {
  if (value instanceof Uint8Array) {
    bytes.push(value);
    return bytes.length;
  }
  if (typeof type === 'string') return value;
  if ('message' in type) return outlineOf(type.message, value as Plain, bytes);
  return (value as readonly unknown[]).map((item) => withoutBytes(type.list, item, bytes));
}

/** Seals an answer for a retry to get: it may hold a new token, and lies in the log. */
export function sealReceipt(
  barrier: Barrier,
  namespace: NamespaceRef,
  requestId: Uint8Array,
  answer: Plain,
): Uint8Array {
  let plain = encodeRecord(answer);
  // Long maps are what makes an answer long; a retry can read them again.
  if (plain.length > RECEIPT_BYTES_MAX) plain = encodeRecord(withoutMaps(answer));
  return barrier.sealValue(receiptPlace(namespace, requestId), plain);
}

export function openReceipt(
  barrier: Barrier,
  namespace: NamespaceRef,
  requestId: Uint8Array,
  receipt: Uint8Array | undefined,
): Plain {
  if (receipt === undefined) return {};
  return decodeRecord<Plain>(barrier.openValue(receiptPlace(namespace, requestId), receipt));
}

function withoutMaps(answer: Plain): Plain {
  return Object.fromEntries(
    Object.entries(answer).filter(([name]) => name !== 'customMetadata' && name !== 'meta'),
  );
}

function receiptPlace(namespace: NamespaceRef, requestId: Uint8Array): Place {
  return {
    namespace: namespace.uuid,
    mount: SYSTEM_MOUNT,
    kind: systemKind.receipt,
    path: [hex(requestId)],
  };
}
