import type { Uuid } from '../barrier/index.ts';
import { utf8Bytes, utf8Text } from '../lib/index.ts';
import type { Area } from './storage/storage.ts';

/** The namespace "". Not random, so that everything starts from it. */
export const ROOT_NAMESPACE: Uuid = new Uint8Array(16);

/** The vault's own records in every namespace live under this mount. */
export const SYSTEM_MOUNT: Uuid = new Uint8Array(16);

/** Kinds of the vault's own records. On disk: never renumber. */
export const systemKind = {
  /** Path of the namespace below the root, in the root namespace only. */
  namespace: 1,
  /** Keyed hash of the token. */
  token: 2,
  /** Accessor, to the hash of its token. */
  accessor: 3,
  /** Parent's hash, then child. */
  child: 4,
  policy: 5,
  mount: 6,
  /** Keys and other single records, in the root namespace only. */
  single: 7,
  /** Sealed answers that a retry gets again: a place to seal at, never stored under. */
  receipt: 8,
  /** Namespaces whose deletion is under way, in the root namespace only. */
  deletion: 9,
  /** Hex uuid of a namespace to its path, in the root namespace only. */
  namespaceId: 10,
  /** The cluster's certificate authority: a place to seal at, never stored under. */
  clusterAuthority: 11,
} as const;

/** An area of the vault's own records. */
export function systemArea(
  namespace: Uuid,
  kind: (typeof systemKind)[keyof typeof systemKind],
): Area {
  return { namespace, mount: SYSTEM_MOUNT, kind };
}

/** Records are JSON: small, and read once into a cache. */
export function encodeRecord(record: object): Uint8Array {
  return utf8Bytes(JSON.stringify(record));
}

/** What was sealed by this program opens as it was, so its shape is trusted. */
export function decodeRecord<T>(bytes: Uint8Array): T {
  return JSON.parse(utf8Text(bytes)) as T;
}
