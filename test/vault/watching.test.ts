import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { json, startVault, type VaultFixture } from '../harness/vault.ts';

let v: VaultFixture;
beforeEach(async () => {
  v = await startVault();
});
afterEach(() => v[Symbol.asyncDispose]());

function watch(afterRevision: number, signal: AbortSignal, mount = 'secret', token = v.rootToken) {
  return v.vault.watch({
    namespace: '',
    token,
    mount,
    path: '',
    afterRevision,
    consistency: undefined,
    correlationId: 'test',
    remoteAddress: '192.0.2.1',
    signal,
  });
}

/** The first changes that a watch tells, or the code it fails with. */
async function watched(afterRevision: number, mount?: string, token?: string): Promise<unknown> {
  const stop = new AbortController();
  try {
    for await (const { events } of watch(afterRevision, stop.signal, mount, token))
      if (events.length > 0) return events.map((event) => event.path);
    return 'ended';
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    stop.abort();
  }
}

describe('a watch', () => {
  it('says at once from where on it tells, so that one that is cut off before a change misses none', async () => {
    const stop = new AbortController();
    const told = watch(0, stop.signal)[Symbol.asyncIterator]();
    const { revision } = v.store;
    expect((await told.next()).value).toEqual({ events: [], revision });
    stop.abort();
    await v.call('kv.put', { mount: 'secret', path: 'a', data: json({}) });
    expect(await watched(revision)).toEqual(['a']);
  });
});

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
