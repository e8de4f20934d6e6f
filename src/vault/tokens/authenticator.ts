import type { Uuid } from '../../barrier/index.ts';
import { fromHex, StrongroomError } from '../../lib/index.ts';
import type { NamespaceRef } from '../namespaces/namespace-record.ts';
import { type NamespaceRegistry, relativePath } from '../namespaces/namespace-registry.ts';
import { decodeRecord, ROOT_NAMESPACE, SYSTEM_MOUNT, systemKind } from '../places.ts';
import type { AclSource } from '../policies/acl-source.ts';
import type { RecordCache, RecordKind } from '../record-cache.ts';
import type { Caller } from './caller.ts';
import { hashToken, namespaceOfToken } from './token-name.ts';
import { SPENT, TOKEN_DEPTH_MAX, type TokenRecord } from './token-record.ts';

/** Live tokens whose hash is remembered. Only tokens that were found alive take a place. */
const KNOWN_TOKENS_MAX = 8192;

interface KnownToken {
  readonly namespace: Uuid;
  readonly hash: string;
}

export const TOKEN_KEY_PATH = ['token-key'] as const;

const tokenKeyKind: RecordKind<Uint8Array> = {
  prefix: 'token-key:',
  dropsAll: true,
  place: () => ({
    namespace: ROOT_NAMESPACE,
    mount: SYSTEM_MOUNT,
    kind: systemKind.single,
    path: TOKEN_KEY_PATH,
  }),
  decode: (bytes) => bytes,
};

/** Finds out who asks. Synchronous, on every node, from the local applied state. */
export class Authenticator {
  readonly #records: RecordCache;
  readonly #namespaces: NamespaceRegistry;
  readonly #acls: AclSource;
  readonly #kinds = new WeakMap<NamespaceRef, RecordKind<TokenRecord>>();
  /** Hashes of tokens that were found alive, so that the next request of one costs no HMAC. */
  #known = new Map<string, KnownToken>();
  #knownKey: Uint8Array | undefined;

  constructor(records: RecordCache, namespaces: NamespaceRegistry, acls: AclSource) {
    this.#records = records;
    this.#namespaces = namespaces;
    this.#acls = acls;
  }

  /**
   * The caller that `token` stands for, in a request to `namespace`.
   * @throws StrongroomError `auth.permission-denied`, the same whatever is wrong with the token.
   */
  authenticate(token: string | undefined, namespace: NamespaceRef, nowMs: number): Caller {
    const caller = token === undefined ? undefined : this.find(token, nowMs);
    // A token is good in its own namespace and below.
    if (caller === undefined || relativePath(caller.namespace, namespace) === undefined) {
      throw permissionDenied();
    }
    return caller;
  }

  /** The live token that `token` is; undefined for every reason not to honour it. */
  find(token: string, nowMs: number): Caller | undefined {
    const key = this.#tokenKey();
    const known = this.#known.get(token);
    const uuid = known === undefined ? namespaceOfToken(token) : known.namespace;
    const namespace = uuid === undefined ? undefined : this.#namespaces.byUuid(uuid);
    if (uuid === undefined || namespace === undefined) return undefined;
    const hash = known === undefined ? hashToken(key, token) : known.hash;
    const caller = this.findByHash(hash, namespace, nowMs);
    if (caller === undefined) this.#known.delete(token);
    else if (known === undefined) this.#remember(token, { namespace: uuid, hash });
    return caller;
  }

  /** The live token of this keyed hash. */
  findByHash(hash: string, namespace: NamespaceRef, nowMs: number): Caller | undefined {
    const record = this.#records.read(this.#kindOf(namespace), hash);
    if (record === undefined || !this.#isAlive(record, nowMs)) return undefined;
    return { record, hash, namespace, acl: this.#acls.aclOf(namespace, record.policies) };
  }

  /** @throws StrongroomError `seal.sealed`, `auth.permission-denied` before the vault was set up. */
  hash(token: string): string {
    return hashToken(this.#tokenKey(), token);
  }

  /** The node was sealed: nothing of a token stays here. */
  forget(): void {
    this.#known.clear();
    this.#knownKey = undefined;
  }

  /** Another key, as after a restore: what was known is forgotten. */
  #tokenKey(): Uint8Array {
    const key = this.#records.read(tokenKeyKind, '');
    if (key !== this.#knownKey) {
      this.forget();
      this.#knownKey = key;
    }
    if (key === undefined) throw permissionDenied();
    return key;
  }

  #remember(token: string, known: KnownToken): void {
    if (this.#known.size >= KNOWN_TOKENS_MAX) this.#known.clear();
    this.#known.set(token, known);
  }

  #kindOf(namespace: NamespaceRef): RecordKind<TokenRecord> {
    let kind = this.#kinds.get(namespace);
    if (kind === undefined) {
      kind = tokenKind(namespace);
      this.#kinds.set(namespace, kind);
    }
    return kind;
  }

  /**
   * Not revoked, ended or used up, and neither is any ancestor: so a whole tree dies at once, long
   * before its records are worked off.
   */
  #isAlive(record: TokenRecord, nowMs: number): boolean {
    if (!isUsable(record, nowMs) || record.usesLeft === SPENT) return false;
    let child = record;
    for (let depth = 0; child.parent !== undefined; depth++) {
      if (depth > TOKEN_DEPTH_MAX) return false;
      const namespace = this.#namespaces.byUuid(fromHex(child.parent.namespace));
      if (namespace === undefined) return false;
      const parent = this.#records.read(this.#kindOf(namespace), child.parent.hash);
      if (parent === undefined) return false;
      // Its children are orphans already, though not all their records say so yet.
      if (parent.revoked === 'leaving-orphans') return true;
      // A parent without uses left lives on for its children until it ends.
      if (!isUsable(parent, nowMs)) return false;
      child = parent;
    }
    return true;
  }
}

function isUsable(record: TokenRecord, nowMs: number): boolean {
  return record.revoked === undefined && (record.expiresAtMs === 0 || record.expiresAtMs > nowMs);
}

function tokenKind(namespace: NamespaceRef): RecordKind<TokenRecord> {
  return {
    prefix: `token:${namespace.path}:`,
    place: (hash) => ({
      namespace: namespace.uuid,
      mount: SYSTEM_MOUNT,
      kind: systemKind.token,
      path: [hash],
    }),
    decode: (bytes) => decodeRecord<TokenRecord>(bytes),
  };
}

export function permissionDenied(): StrongroomError {
  return new StrongroomError('auth.permission-denied', 'Permission denied');
}
