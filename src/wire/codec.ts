import protobuf from 'protobufjs/minimal.js';
import type { Input, MessageType } from './method.ts';

/** The bytes are not the message they should be; `message` says why, without showing them. */
export class WireFormatError extends Error {
  override readonly name = 'WireFormatError';
}

const plain = { defaults: true, arrays: true, objects: true, longs: Number };

export function encodeMessage<Shape>(
  type: MessageType<Shape>,
  message: Input<NoInfer<Shape>>,
): Uint8Array {
  return type.encode(message).finish();
}

/**
 * The message as a plain object: fields that were not sent have their default value, except those
 * that are told apart from "not given", which are then missing. Unknown fields are ignored, so that
 * an older client reads a newer server.
 *
 * @throws WireFormatError
 */
export function decodeMessage<Shape>(type: MessageType<Shape>, bytes: Uint8Array): Shape {
  return decodeFrom(type, protobuf.Reader.create(bytes));
}

/**
 * Like `decodeMessage`, but refuses a field that the message does not have or of another wire type:
 * a server that ignored it would do something else than it was asked.
 *
 * @throws WireFormatError
 */
export function decodeStrictly<Shape>(type: MessageType<Shape>, bytes: Uint8Array): Shape {
  const reader = protobuf.Reader.create(bytes);
  // The generated decoders skip what they do not know, and nothing else.
  reader.skipType = (_wireType: number, _depth?: number, fieldNumber?: number) => {
    throw new WireFormatError(`unknown field ${fieldNumber ?? ''}`);
  };
  return decodeFrom(type, reader);
}

function decodeFrom<Shape>(type: MessageType<Shape>, reader: protobuf.Reader): Shape {
  let message: object;
  try {
    message = type.decode(reader);
  } catch (error) {
    if (error instanceof WireFormatError) throw error;
    throw new WireFormatError('not a valid protobuf message', { cause: error });
  }
  const object = type.toObject(message, plain);
  dropAbsent(object);
  return object as Shape;
}

/**
 * Single messages that were not sent are null in protobufjs and missing in ours. Depth is bounded by
 * the message types, none of which contains itself.
 */
function dropAbsent(object: Record<string, unknown>): void {
  for (const name in object) {
    const value = object[name];
    if (value === null) delete object[name];
    else if (typeof value === 'object') {
      if (Array.isArray(value)) for (const item of value) dropInside(item);
      else dropInside(value);
    }
  }
}

function dropInside(value: unknown): void {
  if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array))
    dropAbsent(value as Record<string, unknown>);
}
