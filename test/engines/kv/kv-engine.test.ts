import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mergePatch } from '../../../src/engines/kv/merge-patch.ts';
import { type Answer, json, parsed, startVault, type VaultFixture } from '../../harness/vault.ts';

const at = (path = 's') => ({ mount: 'secret', path });
let v: VaultFixture;
beforeEach(async () => {
  v = await startVault();
});
afterEach(() => v[Symbol.asyncDispose]());

const put = (value: unknown, more: object = {}, path = 's') =>
  v.call('kv.put', { ...at(path), data: json(value), ...more });
const putCode = (value: unknown, more: object = {}) =>
  v.codeOf('kv.put', { ...at(), data: json(value), ...more });
const read = async (version = 0) => {
  const { data } = await v.call('kv.get', { ...at(), version });
  return data === undefined ? undefined : parsed(data);
};
const metadata = (path = 's') => v.call('kv.getMetadata', at(path));
const versionOf = (answer: Answer) => answer['version'] as Record<string, unknown>;

describe('versions', () => {
  it('count from one; old ones stay readable', async () => {
    for (const value of [1, 2, 3]) await put({ value });
    expect([await read(), await read(1), await read(2)]).toEqual([
      { value: 3 },
      { value: 1 },
      { value: 2 },
    ]);
    expect(await v.codeOf('kv.get', { ...at(), version: 4 })).toBe('kv.version-not-found');
    expect(await v.codeOf('kv.get', at('other'))).toBe('kv.not-found');
  });

  it('over ten go, the oldest first, with their data', async () => {
    for (let value = 1; value <= 12; value++) await put({ value });
    expect(await metadata()).toMatchObject({ currentVersion: 12, oldestVersion: 3 });
    expect(
      v.proposals
        .at(-1)
        ?.writes.map((one) => one.kind)
        .sort(),
    ).toEqual(['delete', 'put', 'put']);
    expect(await v.codeOf('kv.get', { ...at(), version: 2 })).toBe('kv.version-not-found');
    expect(await read(3)).toEqual({ value: 3 });
  });

  it('kept are as many as the mount or the secret says, whichever is more', async () => {
    await v.call('kv.putConfig', { mount: 'secret', maxVersions: 2 });
    for (let value = 1; value <= 5; value++) await put({ value });
    expect(await metadata()).toMatchObject({ oldestVersion: 4 });
    await v.call('kv.putMetadata', { ...at(), maxVersions: 4 });
    for (let value = 6; value <= 9; value++) await put({ value });
    expect(await metadata()).toMatchObject({ oldestVersion: 6, currentVersion: 9 });
    await v.call('kv.putMetadata', { ...at(), maxVersions: 1 });
    await put({ value: 10 });
    expect(await metadata()).toMatchObject({ oldestVersion: 9 });
  });

  it('keep bytes as they were given', async () => {
    const data = Buffer.from('{ "b" : 1.0,\n "a": "\\u00e9", "a": 2 }');
    await v.call('kv.put', { ...at(), data });
    const got = await v.call('kv.get', at());
    expect(Buffer.from(got['data'] as Uint8Array).equals(data)).toBe(true);
  });
});

describe('check-and-set', () => {
  it('lets through who names the current version, and tells the others which it is', async () => {
    expect(await putCode({}, { cas: 1 })).toBe('kv.check-and-set-mismatch');
    expect(await putCode({}, { cas: 0 })).toBe('ok');
    expect(await putCode({}, { cas: 0 })).toBe('kv.check-and-set-mismatch');
    expect(await putCode({}, { cas: 1 })).toBe('ok');
    await expect(put({}, { cas: 7 })).rejects.toMatchObject({ details: { currentVersion: 2 } });
  });

  it('is demanded by mount or secret, also of patches', async () => {
    await put({ a: 1 });
    await v.call('kv.putMetadata', { ...at(), casRequired: true });
    expect(await putCode({})).toBe('kv.check-and-set-required');
    const patch = { ...at(), data: json({ b: 1 }) };
    expect(await v.codeOf('kv.patch', patch)).toBe('kv.check-and-set-required');
    expect(await v.codeOf('kv.patch', { ...patch, cas: 1 })).toBe('ok');
    await v.call('kv.putMetadata', { ...at(), casRequired: false });
    await v.call('kv.putConfig', { mount: 'secret', casRequired: true });
    expect(await putCode({})).toBe('kv.check-and-set-required');
    expect(await putCode({}, { cas: 2 })).toBe('ok');
  });
});

describe('deleting', () => {
  it('hides the data and undeleting shows it again', async () => {
    await put({ a: 1 });
    await v.call('kv.delete', at());
    const gone = await v.call('kv.get', at());
    expect(gone['data']).toBeUndefined();
    expect(versionOf(gone)).toMatchObject({ version: 1, deletedAtMs: v.clock.nowMs });
    await v.call('kv.undelete', { ...at(), versions: [1, 99] });
    expect(await read()).toEqual({ a: 1 });
  });

  it('of named versions leaves the others', async () => {
    for (const value of [1, 2, 3]) await put({ value });
    await v.call('kv.deleteVersions', { ...at(), versions: [1, 2, 77] });
    expect([await read(1), await read(2), await read(3)]).toEqual([
      undefined,
      undefined,
      { value: 3 },
    ]);
  });

  it('for good cannot be taken back', async () => {
    await put({ a: 1 });
    await v.call('kv.destroy', { ...at(), versions: [1] });
    await v.call('kv.undelete', { ...at(), versions: [1] });
    const gone = await v.call('kv.get', at());
    expect(gone['data']).toBeUndefined();
    expect(versionOf(gone)).toMatchObject({ destroyed: true });
  });

  it('what is not there is no failure and writes nothing', async () => {
    const before = v.store.revision;
    for (const operation of ['kv.delete', 'kv.deleteMetadata']) {
      expect(await v.codeOf(operation, at('none'))).toBe('ok');
    }
    for (const operation of ['kv.deleteVersions', 'kv.undelete', 'kv.destroy']) {
      expect(await v.codeOf(operation, { ...at('none'), versions: [1] })).toBe('ok');
    }
    expect(v.store.revision).toBe(before);
  });

  it('by time happens when it was said, the sooner of mount and secret', async () => {
    await v.call('kv.putConfig', { mount: 'secret', deleteVersionAfterMs: 1000 });
    await v.call('kv.putMetadata', { ...at(), deleteVersionAfterMs: 5000 });
    const made = await put({ a: 1 });
    expect(versionOf(made)['deletedAtMs']).toBe(v.clock.nowMs + 1000);
    v.clock.advance(999);
    expect(await read()).toEqual({ a: 1 });
    v.clock.advance(1);
    expect(await read()).toBeUndefined();
  });

  it('the metadata takes all with it, and the next put begins at one', async () => {
    for (const value of [1, 2]) await put({ value });
    await put({ child: 1 }, {}, 's/v1');
    await v.call('kv.deleteMetadata', at());
    expect(await v.codeOf('kv.get', at())).toBe('kv.not-found');
    expect(parsed((await v.call('kv.get', at('s/v1')))['data'])).toEqual({ child: 1 });
    expect(versionOf(await put({ value: 3 }))).toMatchObject({ version: 1 });
    expect(await v.codeOf('kv.get', { ...at(), version: 2 })).toBe('kv.version-not-found');
  });
});

describe('patching', () => {
  it('merges, removes what is null, and makes a version', async () => {
    await put({ a: 1, b: { c: 1, d: 2 }, e: [1] });
    const made = await v.call('kv.patch', {
      ...at(),
      data: json({ a: null, b: { c: null, x: 9 }, e: 2 }),
    });
    expect(versionOf(made)).toMatchObject({ version: 2 });
    expect(await read()).toEqual({ b: { d: 2, x: 9 }, e: 2 });
  });

  it('needs something to patch', async () => {
    const patch = { ...at(), data: json({ a: 1 }) };
    expect(await v.codeOf('kv.patch', patch)).toBe('kv.not-found');
    await put({});
    await v.call('kv.delete', at());
    expect(await v.codeOf('kv.patch', patch)).toBe('kv.not-found');
  });

  it('keeps to RFC 7396, appendix A', () => {
    const object = (text: string) => JSON.parse(text) as Record<string, unknown>;
    const examples = [
      ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
      ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
      ['{"a":"b"}', '{"a":null}', '{}'],
      ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
      ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
      ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
      ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
      ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
      ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
      ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    ] as const;
    for (const [target, patch, result] of examples) {
      expect(object(mergePatch(target, patch))).toEqual(object(result));
    }
  });

  it('twice is the same as once', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue()).map((one) => JSON.stringify(one));
    fc.assert(
      fc.property(object, object, (target, patch) => {
        const once = mergePatch(target, patch);
        expect(mergePatch(once, patch)).toEqual(once);
      }),
    );
  });

  it('is what RFC 7396 says, whatever the two are and however they are laid out', () => {
    const object = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue());
    const merge = (target: unknown, patch: unknown): unknown => {
      if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
      const before =
        typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
      const out = new Map(Object.entries(before));
      for (const [name, value] of Object.entries(patch)) {
        if (value === null) out.delete(name);
        else out.set(name, merge(out.get(name), value));
      }
      return Object.fromEntries(out);
    };
    fc.assert(
      fc.property(object, object, fc.constantFrom('', ' ', '\n\t'), (target, patch, gap) => {
        const text = (value: unknown) => JSON.stringify(value, undefined, gap);
        expect(JSON.parse(mergePatch(text(target), text(patch)))).toEqual(
          JSON.parse(text(merge(JSON.parse(text(target)), JSON.parse(text(patch))))),
        );
      }),
    );
  });

  it('leaves numbers alone that JavaScript would write as others', async () => {
    const target = '{"id": 12345678901234567890, "list": [1.10, "]}"], "in": {"x": 1e400}, "y": 1}';
    await v.call('kv.put', { ...at(), data: Buffer.from(target) });
    await v.call('kv.patch', { ...at(), data: Buffer.from('{"y": 2, "z": 0.10}') });
    const { data } = await v.call('kv.get', at());
    expect(Buffer.from(data as Uint8Array).toString()).toBe(
      '{"id":12345678901234567890,"list":[1.10, "]}"],"in":{"x":1e400},"y":2,"z":0.10}',
    );
  });
});

describe('rolling back', () => {
  it('writes the old data as the newest version', async () => {
    for (const value of [1, 2]) await put({ value });
    expect(versionOf(await v.call('kv.rollback', { ...at(), version: 1 }))).toMatchObject({
      version: 3,
    });
    expect(await read()).toEqual({ value: 1 });
  });

  it('needs a version that is there and not deleted', async () => {
    await put({ value: 1 });
    await v.call('kv.delete', at());
    expect(await v.codeOf('kv.rollback', { ...at(), version: 1 })).toBe('kv.version-deleted');
    expect(await v.codeOf('kv.rollback', { ...at(), version: 5 })).toBe('kv.version-not-found');
    expect(await v.codeOf('kv.rollback', { ...at('x'), version: 1 })).toBe('kv.not-found');
  });
});

describe('metadata', () => {
  it('takes no time after which versions go that no date can show', async () => {
    const century = 100 * 365 * 86_400_000;
    const ends = (deleteVersionAfterMs: number) =>
      v.codeOf('kv.putMetadata', { ...at(), deleteVersionAfterMs });
    expect(await ends(century)).toBe('ok');
    expect(await ends(century + 1)).toBe('request.invalid');
    const config = { mount: 'secret', deleteVersionAfterMs: Number.MAX_SAFE_INTEGER };
    expect(await v.codeOf('kv.putConfig', config)).toBe('request.invalid');
  });

  it('can be there before any data', async () => {
    await v.call('kv.putMetadata', { ...at(), customMetadata: { entries: { owner: 'ada' } } });
    expect(await metadata()).toMatchObject({
      currentVersion: 0,
      versions: [],
      customMetadata: { owner: 'ada' },
    });
    expect(await v.codeOf('kv.get', at())).toBe('kv.not-found');
    expect((await put({}))['customMetadata']).toEqual({ owner: 'ada' });
  });

  it('of its owner is replaced by put and merged by patch', async () => {
    const entries = { a: '1', b: '2' };
    await v.call('kv.putMetadata', { ...at(), customMetadata: { entries } });
    const patch = { customMetadata: { entries: { c: '3' }, remove: ['a'] } };
    await v.call('kv.patchMetadata', { ...at(), ...patch });
    expect((await metadata())['customMetadata']).toEqual({ b: '2', c: '3' });
    await v.call('kv.putMetadata', { ...at(), maxVersions: 3 });
    expect(await metadata()).toMatchObject({ customMetadata: { b: '2', c: '3' }, maxVersions: 3 });
    await v.call('kv.putMetadata', { ...at(), customMetadata: { entries: {} } });
    expect((await metadata())['customMetadata']).toEqual({});
    expect(await v.codeOf('kv.patchMetadata', at('none'))).toBe('kv.not-found');
  });

  it('is bounded in entries, keys and values', async () => {
    const code = (entries: Record<string, string>) =>
      v.codeOf('kv.putMetadata', { ...at(), customMetadata: { entries } });
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, '']));
    expect(await code(many)).toBe('request.too-large');
    expect(await code({ ['k'.repeat(129)]: '' })).toBe('request.invalid');
    expect(await code({ k: 'v'.repeat(513) })).toBe('request.invalid');
    expect(await code({ '': 'v' })).toBe('request.invalid');
    expect(await code({ ['k'.repeat(128)]: 'v'.repeat(512) })).toBe('ok');
  });
});

describe('listing', () => {
  it('shows folders and secrets in order, a page at a time, and no deeper', async () => {
    for (const path of ['a', 'a/x', 'b/c/d', 'z', 'b/e']) await put({}, {}, path);
    const list = (more: object) => v.call('kv.list', { mount: 'secret', path: '', ...more });
    expect(await list({})).toMatchObject({ names: ['a', 'a/', 'b/', 'z'], more: false });
    expect(await list({ limit: 3 })).toMatchObject({ names: ['a', 'a/', 'b/'], more: true });
    expect(await list({ limit: 3, after: 'b/' })).toMatchObject({ names: ['z'], more: false });
    for (const path of ['b', 'b/']) {
      const inside = await v.call('kv.list', { mount: 'secret', path });
      expect(inside['names']).toEqual(['c/', 'e']);
    }
  });

  it('leaves out what was removed', async () => {
    await put({}, {}, 'a/x');
    await v.call('kv.deleteMetadata', at('a/x'));
    expect((await v.call('kv.list', { mount: 'secret', path: '' }))['names']).toEqual([]);
  });
});

describe('rights', () => {
  const rights = async (capabilities: readonly string[], path = 'secret/data/*') =>
    v.tokenWith(`path "${path}" { capabilities = ${JSON.stringify(capabilities)} }`);
  const code = (operation: string, token: string, payload: object = {}) =>
    v.codeOf(operation, { ...at(), ...payload }, { token });
  const data = { data: json({}) };

  it('to create are not rights to overwrite, nor the other way round', async () => {
    const creator = await rights(['create']);
    const updater = await rights(['update']);
    expect(await code('kv.put', updater, data)).toBe('auth.permission-denied');
    expect(await code('kv.put', creator, data)).toBe('ok');
    expect(await code('kv.put', creator, data)).toBe('auth.permission-denied');
    expect(await code('kv.put', updater, data)).toBe('ok');
  });

  it('to create do not overwrite what another node made in between', async () => {
    const creator = await rights(['create']);
    v.set.beforeCommit = async () => {
      await v.callOther('kv.put', { ...at(), data: json({ from: 'other' }) });
    };
    expect(await code('kv.put', creator, data)).toBe('auth.permission-denied');
    expect(await read()).toEqual({ from: 'other' });
  });

  it('to read, delete, destroy, list and patch are asked for one by one', async () => {
    await put({});
    const table: readonly (readonly [string, string, string, object])[] = [
      ['kv.get', 'read', 'secret/data/s', {}],
      ['kv.patch', 'patch', 'secret/data/s', data],
      ['kv.delete', 'delete', 'secret/data/s', {}],
      ['kv.deleteVersions', 'update', 'secret/delete/s', { versions: [1] }],
      ['kv.undelete', 'update', 'secret/undelete/s', { versions: [1] }],
      ['kv.destroy', 'update', 'secret/destroy/s', { versions: [9] }],
      ['kv.getMetadata', 'read', 'secret/metadata/s', {}],
      ['kv.list', 'list', 'secret/metadata/s/', {}],
      ['kv.deleteMetadata', 'delete', 'secret/metadata/s', {}],
    ];
    const all = ['create', 'read', 'update', 'delete', 'list', 'patch'];
    for (const [operation, capability, path, payload] of table) {
      const without = await rights(
        all.filter((one) => one !== capability),
        path,
      );
      const only = await rights([capability], path);
      expect([operation, await code(operation, without, payload)]).toEqual([
        operation,
        'auth.permission-denied',
      ]);
      expect([operation, await code(operation, only, payload)]).toEqual([operation, 'ok']);
      if (operation === 'kv.delete') await v.call('kv.undelete', { ...at(), versions: [1, 2] });
    }
  });

  it('cannot be had by spelling a denied path another way', async () => {
    const token = await v.tokenWith(
      'path "secret/*" { capabilities = ["read"] }\npath "secret/data/s" { capabilities = ["deny"] }',
    );
    await put({});
    for (const [mount, path] of [
      ['secret', 's'],
      ['secret/', 's'],
      ['secret', '/s'],
      ['secret', 's/'],
      ['secret', './s'],
      ['secret', 'x/../s'],
    ]) {
      expect(await v.codeOf('kv.get', { mount, path }, { token })).not.toBe('ok');
    }
  });

  it('follow a policy the moment that it changes', async () => {
    await put({});
    await v.call('policy.put', { name: 'p', policy: 'path "secret/data/s" { policy = "read" }' });
    const token = String((await v.call('token.create', { policies: ['P'] }))['token']);
    expect(await code('kv.get', token)).toBe('ok');
    await v.call('policy.put', { name: 'P', policy: 'path "secret/data/s" { policy = "deny" }' });
    expect(await code('kv.get', token)).toBe('auth.permission-denied');
    await v.call('policy.delete', { name: 'p' });
    expect(await code('kv.get', token)).toBe('auth.permission-denied');
  });
});
