import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { json, startVault, type VaultFixture } from '../harness/vault.ts';

let v: VaultFixture;
beforeEach(async () => {
  v = await startVault();
});
afterEach(() => v[Symbol.asyncDispose]());

/** The first batch that a watch tells, or the code it fails with. */
async function watched(
  afterRevision: number,
  mount = 'secret',
  token = v.rootToken,
): Promise<unknown> {
  const stop = new AbortController();
  const watch = v.vault.watch({
    namespace: '',
    token,
    mount,
    path: '',
    afterRevision,
    consistency: undefined,
    correlationId: 'test',
    remoteAddress: '192.0.2.1',
    signal: stop.signal,
  });
  try {
    for await (const { events } of watch) return events.map((event) => event.path);
    return 'ended';
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    stop.abort();
  }
}

describe('a watch that resumes', () => {
  it('after a revision that was made tells what came after it', async () => {
    const put = (path: string) => v.call('kv.put', { mount: 'secret', path, data: json({}) });
    const { revision } = await put('a');
    await put('b');
    expect(await watched(Number(revision))).toEqual(['b']);
  });

  it('of a mount that is not there is told so when it may know', async () => {
    expect(await watched(0, 'none')).toBe('mount.not-found');
    const token = await v.tokenWith('path "*" { policy = "sudo" }');
    expect(await watched(0, 'none', token)).toBe('auth.permission-denied');
  });

  it('after a revision that this cluster never made is refused, instead of silent until then', async () => {
    expect(await watched(v.store.revision + 1)).toBe('replication.unknown-revision');
  });
});
