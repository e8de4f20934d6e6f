// The generated messages under short names, their codecs, and the table of all methods. Nothing but
// names and codecs: no logic.
export { type AnyMethod, anyMethods, type Payload } from './any-method.ts';
export {
  decodeMessage,
  decodeStrictly,
  encodeMessage,
  WireFormatError,
} from './codec.ts';
export { publicFileDescriptors } from './descriptors.ts';
export { strongroom as api } from './generated/api.js';
export { strongroom as internal } from './generated/internal.js';
export type * as messages from './generated/methods.d.ts';
export { methods } from './generated/methods.js';
export { google, grpc } from './generated/standard.js';
export type { Input, MessageType, Method, MethodKind } from './method.ts';
