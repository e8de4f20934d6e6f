import type { NamespaceRef } from '../namespaces/namespace-record.ts';
import type { Acl } from '../policy/acl.ts';
import type { TokenRecord } from './token-record.ts';

/** Who asks: a token that was found alive, and what its policies say. */
export interface Caller {
  readonly record: TokenRecord;
  /** Keyed hash, which is the token's name in storage. */
  readonly hash: string;
  /** Where the token was made: its policies are of this namespace, and speak of paths below it. */
  readonly namespace: NamespaceRef;
  readonly acl: Acl;
}
