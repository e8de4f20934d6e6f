import type { Reader, Writer } from 'protobufjs/minimal.js';

/** A message as its writer gives it: what is left out has its default value. */
export type Input<T> = T extends string | number | boolean | Uint8Array | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Input<Item>[]
    : string extends keyof T
      ? T
      : { readonly [Name in keyof T]?: Input<T[Name]> | undefined };

/** What a generated message class can do. `Shape` is the message as a plain object. */
export interface MessageType<Shape> {
  encode(message: Input<Shape>, writer?: Writer): Writer;
  decode(reader: Reader | Uint8Array, length?: number): object;
  toObject(message: object, options?: object): Record<string, unknown>;
}

export type MethodKind = 'unary' | 'server-stream' | 'client-stream' | 'duplex';

/** A method of the public API, with its codecs. */
export interface Method<Name extends string, Kind extends MethodKind, Request, Response> {
  /** "kv.put" */
  readonly operation: Name;
  /** "/strongroom.v1.KvService/Put" */
  readonly path: string;
  readonly kind: Kind;
  readonly request: MessageType<Request>;
  readonly response: MessageType<Response>;
}
