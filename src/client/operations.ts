import type { Input, MessageType, methods, Payload } from '../wire/index.ts';

type Methods = typeof methods;

/** Operations with one request and one response, such as "kv.put". */
export type UnaryName = {
  [Name in keyof Methods]: Methods[Name] extends { readonly kind: 'unary' } ? Name : never;
}[keyof Methods];

type ShapeOf<Type> = Type extends MessageType<infer Shape> ? Shape : never;

/** The request of an operation; any plain object for one that is known only at run time. */
export type RequestOf<Name extends string> = Name extends UnaryName
  ? Input<ShapeOf<Methods[Name]['request']>>
  : Payload;

export type ResponseOf<Name extends string> = Name extends UnaryName
  ? ShapeOf<Methods[Name]['response']>
  : Payload;

/**
 * Operations that happen outside the log of the cluster, where no request id makes a second try
 * safe: asked again only when it is certain that nothing was done.
 */
export const onceOnly: ReadonlySet<string> = new Set<UnaryName>([
  'seal.init',
  'seal.unseal',
  'seal.addSlot',
  'seal.removeSlot',
  'seal.rotateKeyring',
  'seal.rotateRoot',
  'seal.rotateKek',
  'cluster.stepDown',
]);
