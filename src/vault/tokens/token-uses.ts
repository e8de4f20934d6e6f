import { decodeRecord, encodeRecord, systemArea, systemKind } from '../places.ts';
import type { StorageTransaction } from '../storage/storage.ts';
import { permissionDenied } from './authenticator.ts';
import type { Caller } from './caller.ts';
import { SPENT, type TokenRecord } from './token-record.ts';

/**
 * Takes one use of a token that has only so many. The last one leaves it spent: this request goes
 * on, and the next is refused. Counted before anything else happens, also when a policy then denies.
 *
 * @throws StrongroomError `auth.permission-denied` when another request took the last one.
 */
export function takeUse(storage: StorageTransaction, caller: Caller): void {
  const area = systemArea(caller.namespace.uuid, systemKind.token);
  const stored = storage.get(area, [caller.hash]);
  if (stored === undefined) throw permissionDenied();
  const record = decodeRecord<TokenRecord>(stored);
  if (record.usesLeft <= 0 || record.revoked !== undefined) throw permissionDenied();
  putToken(storage, caller.namespace.uuid, caller.hash, {
    ...record,
    usesLeft: record.usesLeft === 1 ? SPENT : record.usesLeft - 1,
  });
}

/** Writes a token's record, and its deadline into the expiry index. */
export function putToken(
  storage: StorageTransaction,
  namespace: Uint8Array,
  hash: string,
  record: TokenRecord,
): void {
  // What is spent or revoked is due at once.
  const dueAtMs =
    record.revoked !== undefined || record.usesLeft === SPENT ? 1 : record.expiresAtMs;
  storage.put(
    systemArea(namespace, systemKind.token),
    [hash],
    encodeRecord(record),
    dueAtMs === 0 ? {} : { expiresAtMs: dueAtMs },
  );
}
