import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kvEngine } from '../../src/engines/index.ts';
import { StrongroomError } from '../../src/lib/index.ts';
import { json, parsed, startVault, type VaultFixture } from '../harness/vault.ts';

const at = (path: string) => ({ mount: 'secret', path });
const secretOf = (value: unknown) => ({ data: json(value) });

let v: VaultFixture;
beforeEach(async () => {
  v = await startVault();
});
afterEach(() => v[Symbol.asyncDispose]());

describe('a request', () => {
  it('of a root token writes and reads a secret, with the revision that it made', async () => {
    const put = await v.call('kv.put', { ...at('team/db'), ...secretOf({ password: 'x' }) });
    expect(put['revision']).toBe(v.store.revision);
    const got = await v.call('kv.get', at('team/db'));
    expect(parsed(got['data'])).toEqual({ password: 'x' });
    expect(got['revision']).toBe(put['revision']);
  });

  it('costs one proposal with two puts', async () => {
    const before = v.proposals.length;
    await v.call('kv.put', { ...at('a'), ...secretOf({}) });
    expect(v.proposals.length).toBe(before + 1);
    expect(v.proposals.at(-1)?.writes.map((write) => write.kind)).toEqual(['put', 'put']);
  });

  it('is refused without a token, with a wrong one, and with one that is none', async () => {
    for (const token of [undefined, '', 'x', `srt.${'A'.repeat(43)}`, `${v.rootToken}x`]) {
      expect(await v.codeOf('kv.get', at('a'), { token })).toBe('auth.permission-denied');
    }
  });

  it('of a sealed node says so and looks nothing up', async () => {
    v.set.sealed = true;
    expect(await v.codeOf('kv.get', at('a'))).toBe('seal.sealed');
    expect(await v.codeOf('seal.status', {}, { token: undefined })).toBe('ok');
  });

  it('that writes is forwarded by a node that does not lead; one that reads is not', async () => {
    v.set.leader = false;
    await v.call('kv.put', { ...at('a'), ...secretOf({}) });
    expect(v.forwarded.map((one) => one.operation)).toEqual(['kv.put']);
    expect(await v.codeOf('kv.get', at('a'))).toBe('kv.not-found');
    expect(v.forwarded.length).toBe(1);
  });

  describe('whose leader hands over before anything is written', () => {
    const put = { ...at('a'), ...secretOf({}) };
    const handOver = async () => {
      v.set.leader = false;
      throw new StrongroomError('raft.not-leader', 'Cannot propose here');
    };

    it('goes on to the next leader', async () => {
      v.set.beforeCommit = handOver;
      expect(await v.call('kv.put', put)).toEqual({ forwarded: true });
      expect(v.forwarded.map((one) => one.operation)).toEqual(['kv.put']);
    });

    it('is refused in the end where a node leads and takes no write, however often it is asked', async () => {
      let refusals = 0;
      // Refused again each time that it comes back, as it does to a node that leads.
      const refuse = async () => {
        refusals++;
        v.set.beforeCommit = refuse;
        throw new StrongroomError('raft.not-leader', 'Cannot propose here');
      };
      v.set.beforeCommit = refuse;
      v.set.forward = (request) => v.vault.handle(request);
      const moving = setInterval(() => v.clock.advance(20), 1);
      expect(await v.codeOf('kv.put', put)).toBe('raft.not-leader');
      clearInterval(moving);
      v.set.beforeCommit = undefined;
      expect(refusals).toBeGreaterThan(2);
    });

    it('fails when a use of its token was taken for it, or it was called off', async () => {
      const token = await v.tokenWith('path "*" { policy = "write" }', { numUses: 9 });
      let commits = 0;
      v.set.beforeCommit = async () => {
        // The first commit takes the use.
        if (commits++ === 0) v.set.beforeCommit = handOver;
      };
      expect(await v.codeOf('kv.put', put, { token })).toBe('raft.not-leader');
      v.set.leader = true;
      const off = new AbortController();
      v.set.beforeCommit = async () => {
        off.abort();
        await handOver();
      };
      const code = await v.codeOf('kv.put', put, { signal: off.signal });
      expect(code).toBe('request.cancelled');
      expect(v.forwarded).toEqual([]);
    });
  });

  it('for an operation that is not there is told so', async () => {
    expect(await v.codeOf('kv.steal')).toBe('request.unknown-operation');
  });

  it('that was called off does nothing', async () => {
    const signal = AbortSignal.abort();
    const before = v.store.revision;
    const put = { ...at('a'), ...secretOf({}) };
    expect(await v.codeOf('kv.put', put, { signal })).toBe('request.cancelled');
    expect(v.store.revision).toBe(before);
  });
});

describe('bad input', () => {
  const bad: readonly (readonly [string, string, Record<string, unknown>, string])[] = [
    ['an unknown field', 'kv.get', { ...at('a'), colour: 1 }, 'request.invalid'],
    ['a number for a string', 'kv.get', { mount: 'secret', path: 7 }, 'request.invalid'],
    ['a fraction', 'kv.get', { ...at('a'), version: 1.5 }, 'request.invalid'],
    ['a negative number', 'kv.get', { ...at('a'), version: -1 }, 'request.invalid'],
    ['a string for bytes', 'kv.put', { ...at('a'), data: '{}' }, 'request.invalid'],
    ['an empty path', 'kv.get', at(''), 'request.invalid'],
    ['a leading slash', 'kv.get', at('/a'), 'request.invalid'],
    ['a trailing slash', 'kv.get', at('a/'), 'request.invalid'],
    ['a doubled slash', 'kv.get', at('a//b'), 'request.invalid'],
    ['a parent segment', 'kv.get', at('a/../b'), 'request.invalid'],
    ['a dot segment', 'kv.get', at('./b'), 'request.invalid'],
    ['a NUL', 'kv.get', at('a\0b'), 'request.invalid'],
    ['a line feed', 'kv.get', at('a\nb'), 'request.invalid'],
    ['half a character', 'kv.get', at('a\ud800'), 'request.invalid'],
    ['a long segment', 'kv.get', at('x'.repeat(513)), 'request.invalid'],
    ['a deep path', 'kv.get', at(Array(33).fill('a').join('/')), 'request.invalid'],
    ['a long path', 'kv.get', at('a/'.repeat(3000)), 'request.too-large'],
    ['a mount with a slash', 'kv.get', { mount: 'secret/', path: 'a' }, 'request.invalid'],
    ['a folder of slashes', 'kv.list', { mount: 'secret', path: '/' }, 'request.invalid'],
    ['data that is no JSON', 'kv.put', { ...at('a'), data: Buffer.from('{') }, 'kv.invalid-data'],
    ['data that is a list', 'kv.put', { ...at('a'), data: json([1]) }, 'kv.invalid-data'],
    ['data that is null', 'kv.put', { ...at('a'), data: json(null) }, 'kv.invalid-data'],
    ['data not in UTF-8', 'kv.put', { ...at('a'), data: Buffer.of(0xff) }, 'kv.invalid-data'],
    ['no data', 'kv.put', at('a'), 'kv.invalid-data'],
    [
      'a byte order mark',
      'kv.put',
      { ...at('a'), data: Buffer.from('\ufeff{}') },
      'kv.invalid-data',
    ],
    [
      'data that nests too deep',
      'kv.put',
      { ...at('a'), data: Buffer.from(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`) },
      'kv.invalid-data',
    ],
    [
      'too much data',
      'kv.put',
      { ...at('a'), data: new Uint8Array(1024 * 1024 + 1) },
      'request.too-large',
    ],
    ['too many versions', 'kv.putMetadata', { ...at('a'), maxVersions: 9999 }, 'request.invalid'],
    [
      'a parent segment where no path was meant',
      'seal.removeSlot',
      { name: 'a/../b' },
      'request.invalid',
    ],
    [
      'an empty segment where no path was meant',
      'seal.removeSlot',
      { name: '/b' },
      'request.invalid',
    ],
    ['an unknown mount', 'kv.get', { mount: 'nowhere', path: 'a' }, 'mount.not-found'],
    ['a namespace with a dot segment', 'namespace.create', { path: 'a/..' }, 'request.invalid'],
    ['a namespace with a slash in front', 'namespace.create', { path: '/a' }, 'request.invalid'],
    ['a mount over another', 'namespace.mount', { path: 'secret', type: 'kv' }, 'mount.in-use'],
    ['a mount inside another', 'namespace.mount', { path: 'secret/x', type: 'kv' }, 'mount.in-use'],
    ['a mount on sys', 'namespace.mount', { path: 'sys', type: 'kv' }, 'mount.in-use'],
    ['an unknown engine', 'namespace.mount', { path: 'x', type: 'magic' }, 'mount.unknown-type'],
  ];

  it.each(bad)(
    'such as %s is refused by name and changes nothing',
    async (_what, operation, payload, code) => {
      const before = v.store.revision;
      expect(await v.codeOf(operation, payload)).toBe(code);
      expect(v.store.revision).toBe(before);
    },
  );

  it('is not quoted back when it is secret', async () => {
    const data = Buffer.from('{"password": "hunter2", oops');
    await expect(v.call('kv.put', { ...at('a'), data })).rejects.not.toThrow(/hunter2/);
  });

  it('in a namespace or request id is refused', async () => {
    expect(await v.codeOf('kv.get', at('a'), { namespace: 'a/../b' })).toBe('request.invalid');
    expect(await v.codeOf('kv.get', at('a'), { namespace: 'none' })).toBe('namespace.not-found');
    const put = { ...at('a'), ...secretOf({}) };
    for (const length of [1, 15, 65]) {
      const requestId = new Uint8Array(length);
      expect(await v.codeOf('kv.put', put, { requestId })).toBe('request.invalid');
    }
  });

  it('with keys such as __proto__ is kept as it is', async () => {
    const data = Buffer.from('{"__proto__": {"a": 1}, "constructor": 2}');
    await v.call('kv.put', { ...at('p'), data });
    const patch = Buffer.from('{"__proto__": {"b": 2}}');
    await v.call('kv.patch', { ...at('p'), data: patch });
    const got = await v.call('kv.get', at('p'));
    expect(Buffer.from(got['data'] as Uint8Array).toString()).toBe(
      '{"__proto__":{"a":1,"b":2},"constructor":2}',
    );
  });
});

describe('a retry with the same request id', () => {
  const put = (value: number, cas?: number) => ({
    ...at('r'),
    ...secretOf({ value }),
    ...(cas === undefined ? {} : { cas }),
  });

  it('gets the first answer and writes nothing', async () => {
    const requestId = randomBytes(16);
    const first = await v.call('kv.put', put(1, 0), { requestId });
    const again = await v.call('kv.put', put(1, 0), { requestId });
    expect(again).toEqual(first);
    expect((await v.call('kv.getMetadata', at('r')))['currentVersion']).toBe(1);
  });

  it('finds what was made when the first answer was lost', async () => {
    const requestId = randomBytes(16);
    v.set.loseNextResult = true;
    expect(await v.codeOf('kv.put', put(1, 0), { requestId })).toBe('raft.outcome-unknown');
    const again = await v.call('kv.put', put(1, 0), { requestId });
    expect(again['version']).toMatchObject({ version: 1 });
  });

  it('that overtakes the first waits for it', async () => {
    const requestId = randomBytes(16);
    const answers = await Promise.all([
      v.call('kv.put', put(1, 0), { requestId }),
      v.call('kv.put', put(1, 0), { requestId }),
    ]);
    expect(answers[1]).toEqual(answers[0]);
  });

  it('gets the very token that the first made, and the log does not show it', async () => {
    const requestId = randomBytes(16);
    const before = v.proposals.length;
    const first = await v.call('token.create', {}, { requestId });
    const again = await v.call('token.create', {}, { requestId });
    expect(again['token']).toBe(first['token']);
    const proposed = v.proposals.slice(before);
    const bytes = Buffer.concat(
      proposed.flatMap((tx) => [tx.receipt ?? new Uint8Array(), ...tx.writes.map(valueOf)]),
    );
    expect(bytes.length).toBeGreaterThan(100);
    expect(bytes.includes(String(first['token']))).toBe(false);
    expect(bytes.includes(String(first['accessor']))).toBe(false);
  });

  it('of a namespace gets the same namespace', async () => {
    const requestId = randomBytes(16);
    const first = await v.call('namespace.create', { path: 'n' }, { requestId });
    expect(await v.call('namespace.create', { path: 'n' }, { requestId })).toEqual(first);
    const gone = randomBytes(16);
    await v.call('namespace.delete', { path: 'n' }, { requestId: gone });
    expect(await v.codeOf('namespace.delete', { path: 'n' }, { requestId: gone })).toBe('ok');
  });

  it('is known by a node of the next version, whose requests have more fields', async () => {
    const kv = kvEngine();
    const operations = kv.operations.map((one) => ({
      ...one,
      request: {
        ...one.request,
        note: { type: 'string', about: '' } as const,
        tags: { type: { list: 'string' }, about: '' } as const,
      },
    }));
    await using cluster = await startVault({ otherEngines: [{ ...kv, operations }] });
    const there = { requestId: randomBytes(16) };
    const first = await cluster.call('kv.put', put(1, 0), there);
    // By now the check-and-set would fail.
    expect(await cluster.callOther('kv.put', put(1, 0), there)).toEqual(first);
    const back = { requestId: randomBytes(16) };
    const second = await cluster.callOther('kv.put', put(2, 1), back);
    expect(await cluster.call('kv.put', put(2, 1), back)).toEqual(second);
  });

  it('is another request when it asks for something else, or another asks', async () => {
    const requestId = randomBytes(16);
    await v.call('kv.put', put(1), { requestId });
    const other = await v.call('kv.put', put(2), { requestId });
    expect(other['version']).toMatchObject({ version: 2 });
    const token = await v.tokenWith('path "secret/*" { capabilities = ["create", "update"] }');
    const theirs = await v.call('kv.put', put(1), { requestId, token });
    expect(theirs['version']).toMatchObject({ version: 3 });
  });
});

describe('writes that meet', () => {
  it('of one secret all count, each once', async () => {
    const puts = Array.from({ length: 50 }, (_, value) =>
      v.call('kv.put', { ...at('hot'), ...secretOf({ value }) }),
    );
    const versions = (await Promise.all(puts)).map(
      (answer) => (answer['version'] as { version: number }).version,
    );
    expect(versions.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  it('let exactly one of several with the same check-and-set through', async () => {
    const codes = await Promise.all(
      Array.from({ length: 8 }, (_, value) =>
        v.codeOf('kv.put', { ...at('hot'), ...secretOf({ value }), cas: 0 }),
      ),
    );
    expect(codes.filter((code) => code === 'ok').length).toBe(1);
    expect(new Set(codes)).toEqual(new Set(['ok', 'kv.check-and-set-mismatch']));
  });

  it('run again on what changed in between', async () => {
    v.set.beforeCommit = async () => {
      await v.callOther('kv.put', { ...at('x'), ...secretOf({ from: 'other' }) });
    };
    const made = await v.call('kv.put', { ...at('x'), ...secretOf({ from: 'this' }) });
    expect(made['version']).toMatchObject({ version: 2 });
    const first = await v.call('kv.get', { ...at('x'), version: 1 });
    expect(parsed(first['data'])).toEqual({ from: 'other' });
  });

  it('that are made by a token revoked in between make no child of it', async () => {
    const token = await v.tokenWith('path "auth/token/create" { capabilities = ["update"] }');
    v.set.beforeCommit = async () => {
      await v.call('token.revoke', { token });
    };
    expect(await v.codeOf('token.create', {}, { token })).toBe('auth.permission-denied');
  });
});

describe('the audit log', () => {
  it('tells of every share that a sealed node is given, and is needed for it as for any write', async () => {
    v.set.sealed = true;
    const asked = { token: undefined, correlationId: 'glass' };
    v.set.auditFails = true;
    expect(await v.codeOf('seal.unseal', { share: 'a share' }, asked)).toBe('audit.sink-failed');
    expect(v.set.sealed).toBe(true);
    v.set.auditFails = false;
    const before = v.audit.length;
    await v.call('seal.unseal', { share: 'a share' }, asked);
    const records = v.audit.slice(before);
    expect(records.map((one) => one.type)).toEqual(['request', 'response']);
    for (const { fields } of records)
      expect(fields).toMatchObject({ operation: 'seal.unseal', correlationId: 'glass' });
    expect(JSON.stringify(records)).not.toContain('a share');
  });

  it('has the request before it ran and the response before it went out, without secrets', async () => {
    const before = v.audit.length;
    await v.call('kv.put', { ...at('a'), ...secretOf({ password: 'hunter2' }) });
    await v.call('token.create', {});
    const lines = v.audit.slice(before);
    expect(lines.map((one) => one.type)).toEqual(['request', 'response', 'request', 'response']);
    const text = JSON.stringify(lines);
    expect(text).not.toContain('hunter2');
    expect(text).not.toContain('srt.');
    expect(text).not.toContain('"a"');
    const hash: unknown = expect.stringMatching(/^hmac-sha256:[0-9a-f]{64}$/);
    const path: unknown = expect.stringMatching(/^secret\/data\/hmac-sha256:[0-9a-f]{64}$/);
    expect(lines[0]).toMatchObject({ fields: { path, request: { mount: 'secret', path: hash } } });
  });

  it('has what was refused, and by which code', async () => {
    await v.codeOf('kv.get', at('a'), { token: 'x' });
    expect(v.audit.at(-1)).toMatchObject({
      type: 'request',
      fields: { operation: 'kv.get', error: 'auth.permission-denied' },
    });
    await v.codeOf('kv.get', at('none'));
    expect(v.audit.at(-1)).toMatchObject({ type: 'response', fields: { error: 'kv.not-found' } });
  });

  it('that cannot be written refuses the request before anything is changed', async () => {
    v.set.auditFails = true;
    const before = v.store.revision;
    expect(await v.codeOf('kv.put', { ...at('a'), ...secretOf({}) })).toBe('audit.sink-failed');
    expect(await v.codeOf('kv.get', at('a'))).toBe('audit.sink-failed');
    expect(await v.codeOf('kv.get', at('a'), { token: 'x' })).toBe('audit.sink-failed');
    expect(v.store.revision).toBe(before);
  });

  it('is kept as long as one of several sinks takes it', async () => {
    await using two = await startVault({ sinks: 2 });
    two.set.auditFails = true;
    expect(await two.codeOf('kv.put', { ...at('a'), ...secretOf({}) })).toBe('ok');
  });
});

describe('a rule for parameters', () => {
  it('sees a field that is given with the value that it would have anyway', async () => {
    const required = await v.tokenWith(
      'path "secret/data/*" {\n capabilities = ["create"]\n required_parameters = ["cas"]\n}',
    );
    const put = { ...at('new'), ...secretOf({}) };
    expect(await v.codeOf('kv.put', put, { token: required })).toBe('auth.permission-denied');
    expect(await v.codeOf('kv.put', { ...put, cas: 0 }, { token: required })).toBe('ok');

    const denied = await v.tokenWith(
      'path "secret/metadata/*" {\n capabilities = ["create", "update"]\n denied_parameters = { cas_required = [false] }\n}',
    );
    const weaken = (casRequired: boolean) =>
      v.codeOf('kv.putMetadata', { ...at('new'), casRequired }, { token: denied });
    expect(await weaken(false)).toBe('auth.permission-denied');
    expect(await weaken(true)).toBe('ok');
  });
});

describe('what concerns the whole cluster', () => {
  it('is not done for a namespace, not even by who may do all in it', async () => {
    await v.call('namespace.create', { path: 'tenant' });
    const namespace = 'tenant';
    await v.call(
      'policy.put',
      {
        name: 'all',
        policy:
          'path "*" { capabilities = ["create","read","update","delete","list","patch","sudo"] }',
      },
      { namespace },
    );
    const { token } = await v.call('token.create', { policies: ['all'] }, { namespace });
    const asked = { namespace, token: String(token) };
    expect(await v.codeOf('seal.seal', {}, asked)).toBe('request.invalid');
    expect(await v.codeOf('seal.seal', {}, { token: asked.token })).toBe('auth.permission-denied');
    const stream = (where: string) =>
      v.vault.authorise('cluster.saveSnapshot', {
        namespace: where,
        token: asked.token,
        requestId: undefined,
        consistency: undefined,
        correlationId: 'test',
        remoteAddress: '192.0.2.1',
        signal: new AbortController().signal,
      });
    await expect(stream(namespace)).rejects.toMatchObject({ code: 'request.invalid' });
    await expect(stream('')).rejects.toMatchObject({ code: 'auth.permission-denied' });
  });
});

function valueOf(write: VaultFixture['proposals'][number]['writes'][number]): Uint8Array {
  return write.kind === 'put' ? write.value : new Uint8Array();
}
