import { methods } from './generated/methods.js';
import type { Method, MethodKind } from './method.ts';

/** A message of whatever type, as a plain object. */
export type Payload = Readonly<Record<string, unknown>>;

/** A method for who handles them all alike. */
export type AnyMethod = Method<string, MethodKind, Payload, Payload>;

/** Every method of the public API by its operation, such as "kv.put". */
export const anyMethods: ReadonlyMap<string, AnyMethod> = new Map(
  Object.values(methods).map((method) => [method.operation, method as unknown as AnyMethod]),
);
