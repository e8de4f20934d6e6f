import type { Cancellation } from '../lib/index.ts';
import type { OperationFace } from './operation.ts';

/** How fresh a read must be. */
export type Consistency =
  | { readonly kind: 'linearizable' }
  | { readonly kind: 'at-least'; readonly revision: number }
  | { readonly kind: 'bounded'; readonly stalenessMs: number }
  | { readonly kind: 'eventual' };

/** A request as the faces hand it in: decoded, not yet trusted. */
export interface VaultRequest {
  readonly operation: string;
  /** "" is the root namespace; "team-a/db" a nested one. */
  readonly namespace: string;
  readonly token: string | undefined;
  /** The request message as a plain object (see `FieldSpec`). */
  readonly payload: Readonly<Record<string, unknown>>;
  /** Makes a write safe to retry. */
  readonly requestId: Uint8Array | undefined;
  readonly consistency: Consistency | undefined;
  readonly correlationId: string;
  /** The peer's address, for the audit record. */
  readonly remoteAddress: string;
  readonly signal: Cancellation;
}

export interface VaultAnswer {
  /** The response message as a plain object; its `revision` is set. */
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface SecretEvent {
  readonly kind: 'put' | 'delete' | 'undelete' | 'destroy' | 'metadata' | 'purge';
  readonly path: string;
  readonly version: number;
  readonly revision: number;
}

/** The vault as its faces see it: the same on every node; what must run elsewhere is forwarded. */
export interface Vault {
  readonly operations: ReadonlyMap<string, OperationFace>;
  /** @throws StrongroomError */
  handle(request: VaultRequest): Promise<VaultAnswer>;
  /** Changes below a path, complete and in order; `revision` says how far it has told. */
  watch(
    request: Omit<VaultRequest, 'operation' | 'payload' | 'requestId'> & {
      readonly mount: string;
      readonly path: string;
      readonly afterRevision: number;
    },
  ): AsyncIterable<{ readonly events: readonly SecretEvent[]; readonly revision: number }>;
}
