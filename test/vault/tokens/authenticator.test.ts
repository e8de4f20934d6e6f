import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { hashToken } from '../../../src/vault/tokens/token-name.ts';
import { startVault, type VaultFixture } from '../../harness/vault.ts';

vi.mock('../../../src/vault/tokens/token-name.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../../src/vault/tokens/token-name.ts')>();
  return { ...original, hashToken: vi.fn<typeof hashToken>(original.hashToken) };
});

let v: VaultFixture;
beforeEach(async () => {
  v = await startVault();
});
afterEach(() => v[Symbol.asyncDispose]());

/** Whether the next request had to find out anew who its token is. */
async function isHashed(token: string): Promise<boolean> {
  vi.mocked(hashToken).mockClear();
  await v.codeOf('token.lookupSelf', {}, { token });
  return vi.mocked(hashToken).mock.calls.some(([, hashed]) => hashed === token);
}

it('a live token is known after its first request, until the vault is told to forget', async () => {
  const token = String((await v.call('token.create'))['token']);
  expect(await isHashed(token)).toBe(true);
  expect(await isHashed(token)).toBe(false);
  v.vault.forget();
  expect(await isHashed(token)).toBe(true);
});

it('a token that is not honoured takes no place among the known ones', async () => {
  const token = String((await v.call('token.create'))['token']);
  await v.call('token.revokeSelf', {}, { token });
  // The first refusal takes its place away.
  await v.codeOf('token.lookupSelf', {}, { token });
  expect(await isHashed(token)).toBe(true);
  expect(await isHashed(token)).toBe(true);
});
