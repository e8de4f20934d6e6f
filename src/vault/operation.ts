import type { Cancellation } from '../lib/index.ts';
import type { Logger } from '../telemetry/index.ts';
import type { StorageTransaction, StorageView } from './storage/storage.ts';

/** Policy capabilities (Vault's words). */
export type Capability =
  | 'create'
  | 'read'
  | 'update'
  | 'delete'
  | 'list'
  | 'patch'
  | 'sudo'
  | 'deny';

/**
 * The type of one field of a request or response. From these come request validation, the audit
 * record (which fields are hashed), the OpenAPI document and the CLI's help. Field names and types
 * are those of the protobuf message, in lower camel case: `bytes` is a Uint8Array, every integer a
 * number, `map` a Record<string, string>, `list` an array.
 */
export interface FieldSpec {
  readonly type:
    | 'string'
    | 'bytes'
    | 'uint32'
    | 'uint64'
    | 'bool'
    | 'map'
    | { readonly list: FieldSpec['type'] }
    | { readonly message: Readonly<Record<string, FieldSpec>> };
  /** Told apart from "not given" (proto3 `optional`). */
  readonly optional?: boolean;
  /** Never in clear in the audit log: a keyed hash stands for it. */
  readonly sensitive?: boolean;
  /** Longest accepted: bytes of a string or bytes field, items of a list or map. */
  readonly max?: number;
  readonly about: string;
}

export type MessageSpec = Readonly<Record<string, FieldSpec>>;

/** What a handler is given beside its request. */
export interface OperationContext<Storage extends StorageView = StorageView> {
  readonly storage: Storage;
  readonly log: Logger;
  readonly signal: Cancellation;
  /** Wall time, read once a request so that all it writes agrees. */
  readonly nowMs: number;
}

/**
 * One operation, declared once: its gRPC method, HTTP route, OpenAPI entry, CLI help and audit
 * record all come from here. (`vault/` extends this with the handler and the way it is authorised;
 * faces read only what stands here.)
 */
export interface OperationFace {
  /** "kv.put": gRPC method `KvService/Put`. */
  readonly name: string;
  readonly summary: string;
  /** The path that policies speak of, such as `{mount}/data/{path}`. */
  readonly pathTemplate: string;
  readonly capability: Capability | 'create-or-update' | 'none';
  /** `anonymous` needs no token. */
  readonly access: 'token' | 'anonymous';
  readonly effect: 'read' | 'write';
  readonly request: MessageSpec;
  readonly response: MessageSpec;
}

/** Declares a handler's storage by its effect: a read cannot write. */
export type StorageFor<Effect extends 'read' | 'write'> = Effect extends 'write'
  ? StorageTransaction
  : StorageView;
