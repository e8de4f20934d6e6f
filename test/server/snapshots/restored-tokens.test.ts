import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasCode, StrongroomError } from '../../../src/lib/index.ts';
import type { LogIndex, NodeId, Term } from '../../../src/raft/index.ts';
import { systemKey } from '../../../src/server/cluster/system-records.ts';
import { SnapshotKeeper } from '../../../src/server/snapshots/snapshot-keeper.ts';
import {
  encodeTransaction,
  type Transaction,
  type TransactionResult,
} from '../../../src/store/index.ts';
import { quietLogger } from '../../../src/telemetry/index.ts';
import { temporaryFolder } from '../../harness/temporary-folder.ts';
import { startVault, type VaultFixture } from '../../harness/vault.ts';

const membership = { voters: [1 as NodeId], learners: [], removed: [] };
const AS_IT_WAS = { foreign: false, shares: [], reviveTokens: false };

let fixture: VaultFixture;
let keeper: SnapshotKeeper;
/** Transactions of a restore until one is refused, as when the leader is lost. */
let writesLeft = Number.POSITIVE_INFINITY;

beforeEach(async () => {
  fixture = await startVault();
  writesLeft = Number.POSITIVE_INFINITY;
  const { store, vault, clock } = fixture;
  const commit = async (transaction: Transaction) => {
    await Promise.resolve();
    if (writesLeft-- <= 0) throw new StrongroomError('raft.not-leader', 'Lost the lead');
    const index = (store.revision + 1) as LogIndex;
    const data = encodeTransaction(transaction);
    const [result] = store.apply([{ index, term: 1 as Term, kind: 'command', data }], membership);
    return result as TransactionResult;
  };
  const layout = { kind: 'put', key: systemKey('seal/layout'), value: Uint8Array.of(1) } as const;
  await commit({ reads: [], writes: [layout] });
  keeper = new SnapshotKeeper({
    store,
    commit,
    clusterId: '00112233445566778899aabbccddeeff',
    folder: temporaryFolder(),
    takeOver: () => Promise.reject(new Error('not of another cluster')),
    survival: vault.survival,
    clock,
    log: quietLogger,
  });
});
afterEach(() => fixture[Symbol.asyncDispose]());

async function saved(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of keeper.save()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function restore(
  file: Uint8Array,
  more: Partial<typeof AS_IT_WAS> & { token?: string } = {},
) {
  async function* bytes() {
    yield await Promise.resolve(file);
  }
  const signal = new AbortController().signal;
  return keeper.restore(bytes(), { ...AS_IT_WAS, token: fixture.rootToken, signal, ...more });
}

const made = async (payload: object = {}, token = fixture.rootToken) =>
  String(
    (await fixture.call('token.create', { policies: ['root'], ...payload }, { token }))['token'],
  );
const revoke = (token: string) => fixture.call('token.revokeSelf', {}, { token });
const isAlive = async (token: string) =>
  (await fixture.codeOf('token.lookupSelf', {}, { token })) === 'ok';
const alive = (...tokens: readonly string[]) => Promise.all(tokens.map(isAlive));

describe('a snapshot that is restored', () => {
  it('brings back no token that was revoked since, nor its children, nor those of a deleted namespace', async () => {
    await fixture.call('namespace.create', { path: 'tenant' });
    const inTenant = await fixture.call(
      'token.create',
      { policies: ['default'] },
      { namespace: 'tenant' },
    );
    const tenant = String(inTenant['token']);
    const stays = await made();
    const parent = await made();
    const child = await made({}, parent);
    const file = await saved();
    await revoke(parent);
    await fixture.call('namespace.delete', { path: 'tenant' });
    const late = await made();
    await restore(file);
    expect(await alive(fixture.rootToken, stays)).toEqual([true, true]);
    expect(await alive(parent, child, tenant, late)).toEqual([false, false, false, false]);
  });

  it('gives no uses back that were taken', async () => {
    const limited = await made({ numUses: 2 });
    const file = await saved();
    await fixture.call('token.lookupSelf', {}, { token: limited });
    await restore(file);
    expect(await isAlive(limited)).toBe(false);
  });

  it('brings every token of the file back when that is asked for', async () => {
    const revoked = await made();
    const limited = await made({ numUses: 2 });
    const file = await saved();
    await revoke(revoked);
    await restore(file, { reviveTokens: true });
    expect(await alive(revoked, limited)).toEqual([true, true]);
  });

  it('is refused to a token that would be gone afterwards, and nothing is changed', async () => {
    const file = await saved();
    const late = await made();
    const { revision } = fixture.store;
    const refused = await restore(file, { token: late }).catch((error: unknown) => error);
    expect(hasCode(refused, 'cluster.change-refused')).toBe(true);
    expect(fixture.store.revision).toBe(revision);
    expect(await isAlive(late)).toBe(true);
    await restore(file, { token: late, reviveTokens: true });
    expect(await alive(late, fixture.rootToken)).toEqual([false, true]);
  });

  it('brings no revoked token back wherever it is cut short and run again', async () => {
    await fixture.call('namespace.create', { path: 'tenant' });
    const inTenant = { namespace: 'tenant' };
    const asked = { policies: ['default'] };
    const stays = String((await fixture.call('token.create', asked, inTenant))['token']);
    const revoked = await made();
    const file = await saved();
    await revoke(revoked);
    for (let writes = 0; ; writes++) {
      writesLeft = writes;
      const isWhole = await restore(file).then(
        () => true,
        (error: unknown) => {
          if (hasCode(error, 'raft.not-leader')) return false;
          throw error;
        },
      );
      writesLeft = Number.POSITIVE_INFINITY;
      if (!isWhole) await restore(file);
      expect(await alive(fixture.rootToken, revoked)).toEqual([true, false]);
      const staying = { token: stays, ...inTenant };
      expect(await fixture.codeOf('token.lookupSelf', {}, staying)).toBe('ok');
      if (isWhole) break;
    }
  });
});
