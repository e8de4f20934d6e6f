import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startVault, type VaultFixture } from '../../harness/vault.ts';

const HOUR = 3_600_000;
let v: VaultFixture;
beforeEach(async () => {
  v = await startVault();
});
afterEach(() => v[Symbol.asyncDispose]());

const child = async (token: string, request: Record<string, unknown> = {}) =>
  String((await v.call('token.create', request, { token }))['token']);
const isAlive = async (token: string) =>
  (await v.codeOf('token.lookupSelf', {}, { token })) === 'ok';
const MAKER = 'path "auth/token/create" { capabilities = ["update"] }';

/** Lets the reaper work until so many tokens are left. */
async function reapTo(count: number): Promise<void> {
  v.vault.start();
  for (let pass = 0; pass < 2000 && (await accessorsLeft()) > count; pass++) {
    v.clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await accessorsLeft()).toBe(count);
}
const accessorsLeft = async () =>
  ((await v.call('token.listAccessors'))['accessors'] as readonly string[]).length;

describe('a token', () => {
  it('is nowhere in what is stored', async () => {
    const token = await child(v.rootToken);
    const bytes = Buffer.concat(
      v.proposals.flatMap((tx) =>
        tx.writes.flatMap((write) => (write.kind === 'put' ? [write.key, write.value] : [])),
      ),
    );
    expect(bytes.length).toBeGreaterThan(500);
    expect(bytes.includes(token)).toBe(false);
    expect(bytes.includes(token.slice(4, 20))).toBe(false);
  });

  it('is refused from the moment that its time is over, before any record went', async () => {
    const token = await child(v.rootToken, { policies: ['default'], ttlMs: 1000 });
    v.clock.advance(999);
    expect(await isAlive(token)).toBe(true);
    v.clock.advance(1);
    expect(await isAlive(token)).toBe(false);
  });

  it('lives no longer than 768 hours unless it is periodic, and is told so', async () => {
    const answer = await v.call('token.create', { policies: ['default'], ttlMs: 1000 * HOUR });
    expect(answer['ttlMs']).toBe(768 * HOUR);
    expect(answer['warnings']).toHaveLength(1);
  });

  it('asked for longer than its explicit maximum gets the maximum', async () => {
    const answer = await v.call('token.create', {
      policies: ['default'],
      ttlMs: 30 * 60_000,
      explicitMaxTtlMs: 5 * 60_000,
    });
    expect(answer['ttlMs']).toBe(300_000);
  });

  it('that has only so many uses is spent after them, also by requests that are denied', async () => {
    const token = await child(v.rootToken, { policies: ['default'], numUses: 3 });
    expect(await isAlive(token)).toBe(true);
    expect(await v.codeOf('kv.get', { mount: 'secret', path: 'a' }, { token })).toBe(
      'auth.permission-denied',
    );
    expect(await isAlive(token)).toBe(true);
    expect(await isAlive(token)).toBe(false);
  });

  it('with one use left serves exactly one of several requests at once', async () => {
    const token = await child(v.rootToken, { policies: ['default'], numUses: 1 });
    const all = await Promise.all(Array.from({ length: 5 }, () => isAlive(token)));
    expect(all.filter(Boolean).length).toBe(1);
  });

  it('with counted uses is sent to the leader, where they are counted', async () => {
    const token = await child(v.rootToken, { policies: ['default'], numUses: 2 });
    v.set.leader = false;
    await v.call('token.lookupSelf', {}, { token });
    expect(v.forwarded.map((one) => one.operation)).toEqual(['token.lookupSelf']);
  });

  it('with counted uses can have no children', async () => {
    const token = await v.tokenWith(MAKER, { numUses: 5 });
    expect(await v.codeOf('token.create', {}, { token })).toBe('request.invalid');
  });

  it('is found by its accessor, which is no token', async () => {
    const made = await v.call('token.create', { policies: ['default'], displayName: 'ci' });
    const accessor = String(made['accessor']);
    const found = await v.call('token.lookup', { accessor });
    expect(found).toMatchObject({ displayName: 'token-ci', policies: ['default'], token: '' });
    expect(await isAlive(accessor)).toBe(false);
    expect(await v.codeOf('token.lookup', { accessor: 'none' })).toBe('auth.bad-token');
    expect(await v.codeOf('token.lookup', { token: 'none' })).toBe('auth.bad-token');
  });
});

describe('policies of a new token', () => {
  it('are its parent’s unless told, and a subset of them without sudo', async () => {
    const token = await v.tokenWith(MAKER);
    const own = (await v.call('token.lookupSelf', {}, { token }))['policies'];
    expect((await v.call('token.create', {}, { token }))['policies']).toEqual(own);
    const code = await v.codeOf('token.create', { policies: ['other'] }, { token });
    expect(code).toBe('request.invalid');
  });

  it('never hold root unless a root token asks', async () => {
    const sudo = 'path "auth/token/create" { capabilities = ["update", "sudo"] }';
    const token = await v.tokenWith(sudo);
    expect(await v.codeOf('token.create', { policies: ['other'] }, { token })).toBe('ok');
    for (const name of ['root', 'ROOT']) {
      expect(await v.codeOf('token.create', { policies: [name] }, { token })).toBe(
        'request.invalid',
      );
    }
    expect(await v.codeOf('token.create', { policies: ['root', 'x'] })).toBe('request.invalid');
  });

  it('let only sudo make orphans and periodic tokens', async () => {
    const token = await v.tokenWith(MAKER);
    for (const request of [{ noParent: true }, { periodMs: HOUR }]) {
      expect(await v.codeOf('token.create', request, { token })).toBe('request.invalid');
      expect(await v.codeOf('token.create', request)).toBe('ok');
    }
  });

  it('hold default unless it is told not to', async () => {
    const without = { policies: ['p'], noDefaultPolicy: true };
    expect((await v.call('token.create', without))['policies']).toEqual(['p']);
    expect((await v.call('token.create', { policies: ['p'] }))['policies']).toEqual([
      'default',
      'p',
    ]);
    const parent = await v.tokenWith(MAKER);
    const inherited = await v.call('token.create', { noDefaultPolicy: true }, { token: parent });
    expect(inherited['policies']).not.toContain('default');
  });

  it('that do not exist are told', async () => {
    await v.call('policy.put', { name: 'there', policy: 'path "a" { capabilities = ["read"] }' });
    const { warnings } = await v.call('token.create', { policies: ['there', 'not-there'] });
    expect(warnings).toEqual(['Policy "not-there" does not exist']);
    expect((await v.call('token.create'))['warnings']).toEqual([]);
  });
});

describe('a token that is named', () => {
  it('is named by itself or by its accessor, and not by both', async () => {
    const { token, accessor } = await v.call('token.create', { policies: ['default'] });
    const both = { token, accessor };
    for (const operation of ['token.lookup', 'token.renew', 'token.revoke']) {
      expect(await v.codeOf(operation, both)).toBe('request.invalid');
      expect(await v.codeOf(operation, {})).toBe('request.invalid');
    }
    expect(await v.codeOf('token.lookup', { accessor })).toBe('ok');
  });
});

describe('renewal', () => {
  it('counts from now, and never past the longest life', async () => {
    const token = await child(v.rootToken, {
      policies: ['default'],
      ttlMs: HOUR,
      explicitMaxTtlMs: 2 * HOUR,
    });
    v.clock.advance(HOUR / 2);
    const renewed = await v.call('token.renewSelf', {}, { token });
    expect(renewed['ttlMs']).toBe(HOUR);
    v.clock.advance(HOUR - 1);
    const last = await v.call('token.renewSelf', { incrementMs: 10 * HOUR }, { token });
    expect(last['ttlMs']).toBe(HOUR / 2 + 1);
    v.clock.advance(HOUR / 2 + 1);
    expect(await isAlive(token)).toBe(false);
  });

  it('of a periodic token has no end', async () => {
    const token = await child(v.rootToken, { policies: ['default'], periodMs: HOUR });
    for (let round = 0; round < 1000; round++) {
      v.clock.advance(HOUR - 1);
      const renewed = await v.call('token.renewSelf', { incrementMs: 9 * HOUR }, { token });
      expect(renewed['ttlMs']).toBe(HOUR);
    }
  });

  it('is refused to who is not renewable, to root, and to who is gone', async () => {
    const fixed = await child(v.rootToken, { policies: ['default'], renewable: false });
    expect(await v.codeOf('token.renewSelf', {}, { token: fixed })).toBe('token.not-renewable');
    expect(await v.codeOf('token.renewSelf')).toBe('token.not-renewable');
    const token = await child(v.rootToken, { policies: ['default'], ttlMs: 1000 });
    v.clock.advance(1000);
    expect(await v.codeOf('token.renew', { token })).toBe('auth.bad-token');
  });
});

describe('a tree of tokens', () => {
  const grow = async () => {
    const trunk = await v.tokenWith(MAKER);
    const branch = await child(trunk);
    const leaf = await child(branch);
    return { trunk, branch, leaf };
  };

  it('dies at once with its root, before any record of it went', async () => {
    const { trunk, branch, leaf } = await grow();
    await v.call('token.revoke', { token: trunk });
    for (const token of [trunk, branch, leaf]) expect(await isAlive(token)).toBe(false);
  });

  it('dies when its root ends by itself', async () => {
    const trunk = await v.tokenWith(MAKER, { ttlMs: 1000 });
    const leaf = await child(trunk, { ttlMs: HOUR });
    v.clock.advance(1000);
    expect(await isAlive(leaf)).toBe(false);
  });

  it('is cleared away to the last record', async () => {
    const before = await accessorsLeft();
    const { trunk, branch } = await grow();
    // More children than one step takes.
    for (let at = 0; at < 70; at++) await child(branch);
    expect(await accessorsLeft()).toBe(before + 73);
    await v.call('token.revoke', { token: trunk });
    await reapTo(before);
  });

  it('loses its root but lives when that is revoked alone', async () => {
    const { trunk, branch, leaf } = await grow();
    await v.call('token.revokeOrphan', { token: trunk });
    expect(await isAlive(trunk)).toBe(false);
    expect(await isAlive(leaf)).toBe(true);
    await reapTo((await accessorsLeft()) - 1);
    expect(await isAlive(branch)).toBe(true);
    expect((await v.call('token.lookup', { token: branch }))['orphan']).toBe(true);
    await v.call('token.revoke', { token: branch });
    expect(await isAlive(leaf)).toBe(false);
  });

  it('leaves an orphan alone', async () => {
    const token = await v.tokenWith(
      'path "auth/token/create" { capabilities = ["update", "sudo"] }',
    );
    const orphan = await child(token, { noParent: true });
    await v.call('token.revoke', { token });
    expect(await isAlive(orphan)).toBe(true);
  });

  it('is no deeper than 32', async () => {
    let token = await v.tokenWith(MAKER);
    for (let depth = 1; depth < 32; depth++) token = await child(token);
    expect(await v.codeOf('token.create', {}, { token })).toBe('request.invalid');
    expect(await isAlive(token)).toBe(true);
  });

  it('with a branch in a namespace that was deleted is cleared away all the same', async () => {
    await v.call('namespace.create', { path: 'n' });
    const trunk = await child(v.rootToken, { policies: ['root'] });
    await v.call('token.create', { policies: ['default'] }, { token: trunk, namespace: 'n' });
    await v.call('namespace.delete', { path: 'n' });
    const before = await accessorsLeft();
    await v.call('token.revoke', { token: trunk });
    await reapTo(before - 1);
    expect(await isAlive(trunk)).toBe(false);
  });
});

describe('capabilities', () => {
  it('are told of the caller, of another by name, and deny where nothing is allowed', async () => {
    const token = await v.tokenWith('path "secret/data/a" { capabilities = ["read", "list"] }');
    const paths = ['secret/data/a', 'secret/data/b'];
    const own = await v.call('token.capabilities', { paths }, { token });
    const expected = [
      { path: paths[0], capabilities: ['list', 'read'] },
      { path: paths[1], capabilities: ['deny'] },
    ];
    expect(own['paths']).toEqual(expected);
    expect((await v.call('token.capabilities', { paths, token }))['paths']).toEqual(expected);
    const root = await v.call('token.capabilities', { paths: ['x'] });
    expect(root['paths']).toEqual([{ path: 'x', capabilities: ['root'] }]);
    const others = await v.codeOf('token.capabilities', { paths, token: v.rootToken }, { token });
    expect(others).toBe('auth.permission-denied');
  });
});
