import type { Uuid } from '../../barrier/index.ts';
import { fromHex, hex, StrongroomError } from '../../lib/index.ts';
import type { NamespaceRef } from '../namespaces/namespace-record.ts';
import { decodeRecord, encodeRecord, systemArea, systemKind } from '../places.ts';
import type { StorageTransaction, StorageView } from '../storage/storage.ts';
import type { TokenRecord } from './token-record.ts';
import { putToken } from './token-uses.ts';

interface AccessorRecord {
  readonly hash: string;
}

/** Where a token's record lies: its namespace and its keyed hash. */
export interface TokenPlace {
  readonly namespace: Uuid;
  readonly hash: string;
}

export function readToken(storage: StorageView, place: TokenPlace): TokenRecord | undefined {
  const bytes = storage.get(systemArea(place.namespace, systemKind.token), [place.hash]);
  return bytes === undefined ? undefined : decodeRecord<TokenRecord>(bytes);
}

/** Writes a new token with its accessor, and enters it under its parent. */
export function addToken(
  storage: StorageTransaction,
  place: TokenPlace,
  record: TokenRecord,
): void {
  putToken(storage, place.namespace, place.hash, record);
  storage.put(
    systemArea(place.namespace, systemKind.accessor),
    [record.accessor],
    encodeRecord({ hash: place.hash } satisfies AccessorRecord),
  );
  const { parent } = record;
  if (parent === undefined) return;
  storage.put(
    systemArea(fromHex(parent.namespace), systemKind.child),
    [parent.hash, childName(place)],
    new Uint8Array(0),
  );
}

/** Removes a token's record, accessor and its entry under its parent. */
export function dropToken(
  storage: StorageTransaction,
  place: TokenPlace,
  record: TokenRecord,
): void {
  storage.delete(systemArea(place.namespace, systemKind.token), [place.hash]);
  storage.delete(systemArea(place.namespace, systemKind.accessor), [record.accessor]);
  const { parent } = record;
  if (parent === undefined) return;
  storage.delete(systemArea(fromHex(parent.namespace), systemKind.child), [
    parent.hash,
    childName(place),
  ]);
}

/** Up to `limit` children of a token. */
export async function childrenOf(
  storage: StorageView,
  place: TokenPlace,
  limit: number,
): Promise<readonly TokenPlace[]> {
  const area = systemArea(place.namespace, systemKind.child);
  const { names } = await storage.list(area, [place.hash], { limit });
  return names.map((name) => {
    const dot = name.indexOf('.');
    return { namespace: fromHex(name.slice(0, dot)), hash: name.slice(dot + 1) };
  });
}

/** Forgets that `child` is one: it is an orphan from here on. */
export function forgetChild(
  storage: StorageTransaction,
  parent: TokenPlace,
  child: TokenPlace,
): void {
  storage.delete(systemArea(parent.namespace, systemKind.child), [parent.hash, childName(child)]);
}

/** @throws StrongroomError `auth.bad-token` */
export function placeOfAccessor(
  storage: StorageView,
  namespace: NamespaceRef,
  accessor: string,
): TokenPlace {
  const bytes =
    accessor === '' || accessor.includes('/')
      ? undefined
      : storage.get(systemArea(namespace.uuid, systemKind.accessor), [accessor]);
  if (bytes === undefined) throw badToken();
  return { namespace: namespace.uuid, hash: decodeRecord<AccessorRecord>(bytes).hash };
}

export function badToken(): StrongroomError {
  return new StrongroomError(
    'auth.bad-token',
    'Cannot find the token: it does not exist, has ended or was revoked',
  );
}

function childName(place: TokenPlace): string {
  return `${hex(place.namespace)}.${place.hash}`;
}
