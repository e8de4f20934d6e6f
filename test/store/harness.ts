import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, utf8Bytes } from '../../src/lib/index.ts';
import type { Entry, LogIndex, Membership, NodeId, Term } from '../../src/raft/index.ts';
import {
  encodeTransaction,
  type OpenStoreOptions,
  openStore,
  type Revision,
  type Store,
  type Transaction,
  type TransactionResult,
  type Write,
} from '../../src/store/index.ts';
import { quietLogger, quietMetrics } from '../../src/telemetry/index.ts';

export const members: Membership = { voters: [1 as NodeId], learners: [], removed: [] };

export interface TempDirectory extends AsyncDisposable {
  readonly path: string;
}

export async function tempDirectory(): Promise<TempDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'strongroom-store-'));
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true });
    },
  };
}

export function open(directory: string, options: Partial<OpenStoreOptions> = {}): Promise<Store> {
  return openStore({
    directory,
    clock: systemClock,
    log: quietLogger,
    metrics: quietMetrics,
    ...options,
  });
}

export function commandAt(index: number, tx: Partial<Transaction>): Entry {
  return entryAt(index, 'command', encodeTransaction({ reads: [], writes: [], ...tx }));
}

export function entryAt(
  index: number,
  kind: Entry['kind'],
  data: Uint8Array = new Uint8Array(),
): Entry {
  return { index: index as LogIndex, term: 1 as Term, kind, data };
}

/** Applies one transaction as the next entry. */
export function commit(store: Store, tx: Partial<Transaction>): TransactionResult {
  const [result] = store.apply([commandAt(store.revision + 1, tx)], members);
  return result as TransactionResult;
}

export function put(key: string, value: string, expiresAtMs?: number): Write {
  return {
    kind: 'put',
    key: utf8Bytes(key),
    value: utf8Bytes(value),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
  };
}

export function remove(key: string): Write {
  return { kind: 'delete', key: utf8Bytes(key) };
}

export function removeRange(start: string, end: string): Write {
  return { kind: 'delete-range', start: utf8Bytes(start), end: utf8Bytes(end) };
}

export function rev(revision: number): Revision {
  return revision as Revision;
}

export function read(store: Store, key: string): string | undefined {
  using view = store.view();
  const found = view.get(utf8Bytes(key));
  return found && Buffer.from(found.value).toString();
}

/** Everything, as `key=value@revision`. */
export async function dump(store: Store): Promise<readonly string[]> {
  using view = store.view();
  const all = { start: utf8Bytes(''), end: utf8Bytes('\u{10ffff}'), limit: 10_000 };
  return (await view.range(all)).map(
    ({ key, value, revision }) =>
      `${Buffer.from(key).toString()}=${Buffer.from(value).toString()}@${revision}`,
  );
}
