import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { json, startVault, type VaultFixture } from '../../harness/vault.ts';

let v: VaultFixture;
beforeEach(async () => {
  v = await startVault();
});
afterEach(() => v[Symbol.asyncDispose]());

const ALL = 'path "*" { capabilities = ["create","read","update","delete","list","patch","sudo"] }';
const make = (path: string, namespace = '') => v.call('namespace.create', { path }, { namespace });
const mountIn = (namespace: string) =>
  v.call('namespace.mount', { path: 'secret', type: 'kv' }, { namespace });
const putIn = (namespace: string, token = v.rootToken) =>
  v.codeOf('kv.put', { mount: 'secret', path: 'a', data: json({}) }, { namespace, token });
const names = async (operation: string, field: string, namespace = '', more: object = {}) =>
  ((await v.call(operation, { ...more }, { namespace }))[field] as { path: string }[]).map(
    (one) => one.path,
  );

describe('a namespace', () => {
  it('has mounts, policies and tokens of its own', async () => {
    await make('a');
    expect(await putIn('a')).toBe('mount.not-found');
    await mountIn('a');
    expect(await putIn('a')).toBe('ok');
    expect(await v.codeOf('kv.get', { mount: 'secret', path: 'a' })).toBe('kv.not-found');
    await v.call('policy.put', { name: 'all', policy: ALL }, { namespace: 'a' });
    expect(await v.codeOf('policy.get', { name: 'all' })).toBe('policy.not-found');
    const asked = { policies: ['all'], noParent: true };
    const token = String((await v.call('token.create', asked, { namespace: 'a' }))['token']);
    expect(await putIn('a', token)).toBe('ok');
    expect(await putIn('', token)).toBe('auth.permission-denied');
  });

  it('is seen by tokens of those above it through policies that name its path', async () => {
    await make('a');
    await mountIn('a');
    const token = await v.tokenWith('path "a/secret/data/*" { policy = "write" }');
    expect(await putIn('a', token)).toBe('ok');
    expect(await putIn('', token)).toBe('auth.permission-denied');
  });

  it('is not seen by a neighbour, nor by one whose name begins alike', async () => {
    for (const path of ['a', 'ab']) {
      await make(path);
      await mountIn(path);
    }
    await v.call('policy.put', { name: 'all', policy: ALL }, { namespace: 'a' });
    const asked = { policies: ['all'], noParent: true };
    const token = String((await v.call('token.create', asked, { namespace: 'a' }))['token']);
    expect(await putIn('ab', token)).toBe('auth.permission-denied');
    expect(await v.codeOf('token.lookup', { token }, { namespace: 'ab' })).toBe('auth.bad-token');
  });

  it('has no name that policies of its parent could take for a mount, nor has a mount', async () => {
    for (const path of ['secret', 'sys', 'auth', 'identity', 'cubbyhole']) {
      expect(await v.codeOf('namespace.create', { path })).toBe('namespace.exists');
    }
    await make('a');
    await v.call('namespace.mount', { path: 'x/y', type: 'kv' }, { namespace: 'a' });
    expect(await v.codeOf('namespace.create', { path: 'a/x' })).toBe('namespace.exists');
    await make('a/secret');
    const mount = (path: string, namespace: string) =>
      v.codeOf('namespace.mount', { path, type: 'kv' }, { namespace });
    expect(await mount('a', '')).toBe('mount.in-use');
    expect(await mount('a/b', '')).toBe('mount.in-use');
    expect(await mount('secret/b', 'a')).toBe('mount.in-use');
    expect(await mount('y', 'a')).toBe('ok');
  });

  it('nests, and is listed with those beside it only', async () => {
    await make('a');
    await make('b', 'a');
    await make('a/c');
    await make('a-b');
    expect(await names('namespace.list', 'namespaces')).toEqual(['a', 'a-b']);
    expect(await names('namespace.list', 'namespaces', 'a')).toEqual(['a/b', 'a/c']);
    expect(await v.codeOf('namespace.create', { path: 'x/y' })).toBe('namespace.not-found');
    expect(await v.codeOf('namespace.create', { path: 'a' })).toBe('namespace.exists');
  });

  it('is found on some page, however small the pages are', async () => {
    for (const path of ['a', 'a/x', 'a-b', 'c', 'c/d']) await make(path);
    const found: string[] = [];
    for (let after = ''; ; ) {
      const page = await v.call('namespace.list', { limit: 1, after });
      const [one] = page['namespaces'] as { path: string }[];
      if (one !== undefined) found.push(one.path);
      if (page['more'] !== true) break;
      after = one?.path ?? '';
    }
    expect(found).toEqual(['a', 'a-b', 'c']);
  });
});

describe('deleting a namespace', () => {
  beforeEach(async () => {
    await make('a');
    await mountIn('a');
    await putIn('a');
  });

  it('destroys its key and every record of it', async () => {
    const { id } = await v.call('namespace.get', { path: 'a' });
    const uuid = Buffer.from(String(id), 'hex');
    const kept = async () => {
      using view = v.store.view();
      const start = Buffer.concat([Uint8Array.of(0x10), uuid]);
      const end = Buffer.concat([Uint8Array.of(0x10), uuid, Uint8Array.of(0xff)]);
      return (await view.range({ start, end, limit: 100 })).length;
    };
    expect(await kept()).toBeGreaterThan(3);
    await v.call('namespace.delete', { path: 'a' });
    expect(await kept()).toBe(0);
    const place = { namespace: uuid, mount: uuid, kind: 1, path: ['x'] };
    expect(() => v.barrier()?.sealPlace(place)).toThrow(/namespace/);
    expect(await putIn('a')).toBe('namespace.not-found');
  });

  it('ends its tokens', async () => {
    const asked = { policies: ['default'], noParent: true };
    const token = String((await v.call('token.create', asked, { namespace: 'a' }))['token']);
    await v.call('namespace.delete', { path: 'a' });
    await make('a');
    expect(await v.codeOf('token.lookupSelf', {}, { namespace: 'a', token })).toBe(
      'auth.permission-denied',
    );
  });

  it('is refused while there are others inside', async () => {
    await make('a/b');
    expect(await v.codeOf('namespace.delete', { path: 'a' })).toBe('namespace.not-empty');
    await v.call('namespace.delete', { path: 'a/b' });
    expect(await v.codeOf('namespace.delete', { path: 'a' })).toBe('ok');
  });

  it('that was cut short serves nothing more, and is finished later', async () => {
    v.set.failNextDestroy = true;
    expect(await v.codeOf('namespace.delete', { path: 'a' })).toBe('raft.not-leader');
    expect(await putIn('a')).toBe('namespace.not-found');
    expect(await v.codeOf('namespace.create', { path: 'a' })).toBe('namespace.exists');
    v.vault.start();
    let code = '';
    for (let pass = 0; pass < 500 && code !== 'ok'; pass++) {
      v.clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
      code = await v.codeOf('namespace.create', { path: 'a' });
    }
    expect(code).toBe('ok');
    expect(await putIn('a')).toBe('mount.not-found');
  });
});

describe('two who finish one deletion', () => {
  it('do not delete the namespace that was made anew under its name', async () => {
    const first = await make('a');
    v.set.beforeCommit = async () => {
      // Before the first marks it; the next hook runs before it removes the records.
      v.set.beforeCommit = async () => {
        v.other.start();
        let made: unknown;
        for (let pass = 0; pass < 500 && made === undefined; pass++) {
          v.clock.advance(1000);
          await new Promise((resolve) => setImmediate(resolve));
          made = await v.callOther('namespace.create', { path: 'a' }).catch(() => undefined);
        }
        expect(made).toBeDefined();
      };
    };
    await v.call('namespace.delete', { path: 'a' });
    const { id } = await v.call('namespace.get', { path: 'a' });
    expect(id).not.toBe(first['id']);
  });
});

describe('a mount', () => {
  it('is listed, and goes with everything in it', async () => {
    await v.call('namespace.mount', { path: 'team/kv', type: 'kv', options: { version: '2' } });
    expect(await names('namespace.listMounts', 'mounts')).toEqual(['secret', 'team/kv']);
    const at = { mount: 'team/kv', path: 'a' };
    await v.call('kv.put', { ...at, data: json({}) });
    await v.call('namespace.unmount', { path: 'team/kv' });
    expect(await v.codeOf('kv.get', at)).toBe('mount.not-found');
    await v.call('namespace.mount', { path: 'team/kv', type: 'kv' });
    expect(await v.codeOf('kv.get', at)).toBe('kv.not-found');
    expect(await v.codeOf('namespace.unmount', { path: 'none' })).toBe('mount.not-found');
    const odd = { path: 'odd', type: 'kv', options: { version: '1' } };
    expect(await v.codeOf('namespace.mount', odd)).toBe('request.invalid');
  });
});

describe('policies', () => {
  it('are listed with root, kept byte for byte, and the built-in ones are protected', async () => {
    const policy = '# mine\npath "a" { policy = "read" }   \n';
    await v.call('policy.put', { name: 'Mine', policy });
    expect(await v.call('policy.get', { name: 'mINE' })).toMatchObject({ name: 'mine', policy });
    expect((await v.call('policy.list'))['names']).toEqual(['default', 'mine', 'root']);
    const page = await v.call('policy.list', { limit: 1, after: 'mine' });
    expect(page).toMatchObject({ names: ['root'], more: false });
    expect(await v.codeOf('policy.put', { name: 'root', policy })).toBe('policy.protected');
    expect(await v.codeOf('policy.get', { name: 'Root' })).toBe('policy.protected');
    expect(await v.codeOf('policy.delete', { name: 'default' })).toBe('policy.protected');
    expect(await v.codeOf('policy.put', { name: 'x', policy: 'oops {' })).toBe('policy.invalid');
    expect(await v.codeOf('policy.put', { name: 'a/b', policy })).toBe('request.invalid');
  });

  it('cannot be reached around a rule by another case', async () => {
    const token = await v.tokenWith(
      'path "sys/policies/acl/*" { policy = "sudo" }\npath "sys/policies/acl/admin" { policy = "deny" }',
    );
    const put = (name: string) =>
      v.codeOf('policy.put', { name, policy: 'path "*" { policy = "sudo" }' }, { token });
    expect([await put('other'), await put('admin'), await put('ADMIN')]).toEqual([
      'ok',
      'auth.permission-denied',
      'auth.permission-denied',
    ]);
  });
});

describe('watching', () => {
  const watch = async (token: string, path: string, count: number, act: () => Promise<unknown>) => {
    const end = new AbortController();
    const seen: string[] = [];
    const batches = v.vault.watch({
      namespace: '',
      token,
      consistency: undefined,
      correlationId: 'w',
      remoteAddress: '',
      signal: end.signal,
      mount: 'secret',
      path,
      afterRevision: v.store.revision,
    });
    await act();
    for await (const { events } of batches) {
      seen.push(...events.map((one) => `${one.kind} ${one.path} ${one.version}`));
      if (seen.length >= count) end.abort();
    }
    return seen;
  };
  const put = (path: string) => v.call('kv.put', { mount: 'secret', path, data: json({}) });

  it('tells every change below a path, each once, in order', async () => {
    const seen = await watch(v.rootToken, 'team', 7, async () => {
      await put('other');
      await put('team/a');
      await put('team/a');
      await put('team-b');
      const at = { mount: 'secret', path: 'team/a' };
      await v.call('kv.deleteVersions', { ...at, versions: [1, 2] });
      await v.call('kv.undelete', { ...at, versions: [1] });
      await v.call('kv.destroy', { ...at, versions: [1] });
      await v.call('kv.deleteMetadata', at);
    });
    expect(seen).toEqual([
      'put team/a 1',
      'put team/a 2',
      'delete team/a 1',
      'delete team/a 2',
      'undelete team/a 1',
      'destroy team/a 1',
      'purge team/a 0',
    ]);
  });

  it('leaves out what the watcher may not read', async () => {
    const token = await v.tokenWith(
      'path "secret/metadata/*" { policy = "read" }\npath "secret/metadata/t/x" { policy = "deny" }',
    );
    const seen = await watch(token, '', 2, async () => {
      for (const path of ['t/a', 't/x', 't/b']) await put(path);
    });
    expect(seen).toEqual(['put t/a 1', 'put t/b 1']);
  });

  it('is refused to who may not read, and ends when the token does', async () => {
    const blind = await v.tokenWith('path "secret/metadata/t" { policy = "deny" }');
    await expect(watch(blind, 't', 1, () => put('t/a'))).rejects.toMatchObject({
      code: 'auth.permission-denied',
    });
    const token = await v.tokenWith('path "secret/metadata/*" { policy = "read" }');
    const ended = watch(token, '', 1, async () => {
      await v.call('token.revoke', { token });
      await put('t/a');
    });
    await expect(ended).rejects.toMatchObject({ code: 'auth.permission-denied' });
  });
});
