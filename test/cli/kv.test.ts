import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StrongroomError, utf8Bytes, utf8Text } from '../../src/lib/index.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { run } from './fake-io.ts';

const version = { version: 3, createdAtMs: 1_700_000_000_000, deletedAtMs: 0, destroyed: false };
const secret = {
  revision: 12,
  version,
  data: utf8Bytes(JSON.stringify({ user: 'app', password: 'hunter2' })),
  customMetadata: {},
};
const written = { revision: 12, version, customMetadata: {} };

const dataOf = (payload: Readonly<Record<string, unknown>> | undefined) =>
  JSON.parse(utf8Text(payload?.['data'] as Uint8Array)) as unknown;

describe('kv get', () => {
  it('prints tables as vault does', async () => {
    const { out, status, calls } = await run(['kv', 'get', 'secret/team/db'], { 'kv.get': secret });
    expect(status).toBe(0);
    expect(calls).toEqual([['kv.get', { mount: 'secret', path: 'team/db', version: 0 }]]);
    expect(out).toBe(`= Secret Path =
secret/team/db

================ Metadata =================
Key                Value
---                -----
created_time       2023-11-14T22:13:20.000Z
custom_metadata    n/a
deletion_time      n/a
destroyed          false
version            3

====== Data =======
Key         Value
---         -----
user        app
password    hunter2
`);
  });

  it('prints JSON', async () => {
    const { out } = await run(['kv', 'get', '--format', 'json', 'secret/team/db'], {
      'kv.get': secret,
    });
    expect(JSON.parse(out)).toEqual({
      revision: 12,
      version,
      customMetadata: {},
      mount: 'secret',
      path: 'team/db',
      data: { user: 'app', password: 'hunter2' },
    });
  });

  it('prints YAML, and takes the format from the environment', async () => {
    const answers = { 'kv.get': secret };
    const { out } = await run(['kv', 'get', 'secret/team/db'], answers, {
      env: { STRONGROOM_FORMAT: 'yaml' },
    });
    expect(out).toContain('data:\n  user: app\n  password: hunter2\n');
  });

  it('prints one field exactly into a pipe, with a line break on a terminal', async () => {
    const args = ['kv', 'get', '-field=password', 'secret/team/db'];
    expect((await run(args, { 'kv.get': secret })).out).toBe('hunter2');
    expect((await run(args, { 'kv.get': secret }, { isTerminal: true })).out).toBe('hunter2\n');
  });

  it('says when the field is not there, without showing the others', async () => {
    const { status, err, out } = await run(['kv', 'get', '-f', 'pass', 'secret/x'], {
      'kv.get': secret,
    });
    expect(status).toBe(1);
    expect(err).toContain('cli.no-such-field');
    expect(err + out).not.toMatch(/hunter2/);
  });

  it('shows terminal escapes of a secret instead of sending them', async () => {
    const data = utf8Bytes(JSON.stringify({ a: '\u001b[2J\u0007' }));
    const { out } = await run(['kv', 'get', 'secret/x'], { 'kv.get': { ...secret, data } });
    expect(out).toContain('\\x1b[2J\\x07');
    expect(out).not.toContain('\u001b');
  });

  it('shows a deleted version without data', async () => {
    const { data: _data, ...deleted } = secret;
    const { out } = await run(['kv', 'get', 'secret/x'], { 'kv.get': deleted });
    expect(out).not.toContain('Data');
    const json = await run(['kv', 'get', '--format=json', 'secret/x'], { 'kv.get': deleted });
    expect(JSON.parse(json.out)).toMatchObject({ data: null });
  });
});

describe('kv put', () => {
  it('takes values from arguments, files and standard input, as vault does', async () => {
    const file = join(temporaryFolder(), 'cert.pem');
    writeFileSync(file, 'PEM\n');
    const { calls, status } = await run(
      [
        'kv',
        'put',
        '-mount=secret',
        'team/db',
        'a=1=2',
        `cert=@${file}`,
        'key=-',
        'at=\\@x',
        '--cas=0',
      ],
      { 'kv.put': written },
      { stdin: 'from stdin' },
    );
    expect(status).toBe(0);
    expect(calls[0]?.[1]).toMatchObject({ mount: 'secret', path: 'team/db', cas: 0 });
    expect(dataOf(calls[0]?.[1])).toEqual({ a: '1=2', cert: 'PEM\n', key: 'from stdin', at: '@x' });
  });

  it('takes a whole JSON object from standard input', async () => {
    const { calls } = await run(
      ['kv', 'put', 'secret/x', '-'],
      { 'kv.put': written },
      { stdin: '{"n":{"m":1}}' },
    );
    expect(dataOf(calls[0]?.[1])).toEqual({ n: { m: 1 } });
  });

  it.each([
    ['no data at all', ['kv', 'put', 'secret/x'], ''],
    ['an argument without =', ['kv', 'put', 'secret/x', 'hunter2'], ''],
    ['JSON that is broken', ['kv', 'put', 'secret/x', '-'], '{"password":"hunter2"'],
    ['JSON that is no object', ['kv', 'put', 'secret/x', '-'], '["hunter2"]'],
    ['standard input twice', ['kv', 'put', 'secret/x', 'a=-', 'b=-'], 'hunter2'],
    ['a file that is not there', ['kv', 'put', 'secret/x', 'a=@/nowhere/hunter'], ''],
    ['no mount', ['kv', 'put', '/', 'a=hunter2'], ''],
    [
      'a check-and-set that is no number',
      ['kv', 'put', 'secret/x', 'a=hunter2', '--cas', 'new'],
      '',
    ],
  ])('refuses %s with status 1, and repeats no value', async (_what, args, stdin) => {
    const { status, err, calls } = await run(args, {}, { stdin });
    expect(status).toBe(1);
    expect(calls).toEqual([]);
    expect(err).not.toContain('hunter2');
    expect(err).toMatch(/^Error: /);
  });

  it('never prints what was written', async () => {
    for (const format of ['table', 'json', 'yaml']) {
      const { out, err } = await run(['kv', 'put', '--format', format, 'secret/x', 'a=hunter2'], {
        'kv.put': written,
      });
      expect(out + err).not.toContain('hunter2');
    }
  });
});

describe('the other kv commands', () => {
  it('patch merges, and removes keys', async () => {
    const { calls } = await run(['kv', 'patch', 'secret/x', 'a=1', '--remove-data', 'b,c'], {
      'kv.patch': written,
    });
    expect(dataOf(calls[0]?.[1])).toEqual({ a: '1', b: null, c: null });
  });

  it('list follows all pages', async () => {
    const pages: Readonly<Record<string, unknown>> = { '': ['a', 'b'], b: ['c'] };
    const { out, calls } = await run(['kv', 'list', 'secret/team'], {
      'kv.list': (payload) => ({
        names: pages[String(payload['after'])],
        more: payload['after'] === '',
      }),
    });
    expect(out).toBe('Keys\n----\na\nb\nc\n');
    expect(calls.map(([, payload]) => payload['path'])).toEqual(['team/', 'team/']);
  });

  it('list stops at --limit', async () => {
    const { out, calls } = await run(['kv', 'list', 'secret', '--limit', '2', '--format', 'json'], {
      'kv.list': (payload) => ({
        names: ['a', 'b', 'c'].slice(0, Number(payload['limit'])),
        more: true,
      }),
    });
    expect(calls).toHaveLength(1);
    expect(JSON.parse(out)).toMatchObject({ names: ['a', 'b'] });
  });

  it.each([
    [['kv', 'delete', 'secret/x'], 'kv.delete', {}],
    [['kv', 'delete', '--versions', '1,2', 'secret/x'], 'kv.deleteVersions', { versions: [1, 2] }],
    [
      ['kv', 'undelete', '--versions=1', '--versions=3', 'secret/x'],
      'kv.undelete',
      { versions: [1, 3] },
    ],
    [['kv', 'destroy', '--versions', '2', 'secret/x'], 'kv.destroy', { versions: [2] }],
    [['kv', 'rollback', '--version', '2', 'secret/x'], 'kv.rollback', { version: 2 }],
    [['kv', 'metadata', 'delete', 'secret/x'], 'kv.deleteMetadata', {}],
    [
      [
        'kv',
        'metadata',
        'patch',
        'secret/x',
        '--cas-required',
        'true',
        '--delete-version-after',
        '1h30m',
        '--remove-custom-metadata',
        'k',
      ],
      'kv.patchMetadata',
      {
        casRequired: true,
        deleteVersionAfterMs: 5_400_000,
        customMetadata: { entries: {}, remove: ['k'] },
      },
    ],
  ])('%j asks for %s', async (args, operation, payload) => {
    const { calls, status } = await run(args, { [operation]: written });
    expect(status).toBe(0);
    expect(calls).toEqual([[operation, { mount: 'secret', path: 'x', ...payload }]]);
  });

  it('kv config sets defaults of a mount', async () => {
    const { calls } = await run(['kv', 'config', 'put', 'secret/', '--max-versions', '5'], {
      'kv.putConfig': {},
    });
    expect(calls).toEqual([['kv.putConfig', { mount: 'secret', maxVersions: 5 }]]);
  });

  it('a failure of the cluster is status 2, with its code and what to do next', async () => {
    const sealed = new StrongroomError('seal.sealed', 'Cannot serve: sealed');
    const table = await run(['kv', 'get', 'secret/x'], { 'kv.get': sealed });
    expect(table.status).toBe(2);
    expect(table.out).toBe('');
    expect(table.err).toBe(
      'Error: Cannot serve: sealed\nCode:  seal.sealed\nNext:  unseal it: "strongroom operator unseal"; see why with "strongroom status"\n',
    );
    const json = await run(['kv', 'get', 'secret/x', '--format', 'json'], { 'kv.get': sealed });
    expect(JSON.parse(json.err)).toMatchObject({ error: { code: 'seal.sealed' } });
  });
});

describe('numbers that JavaScript would alter', () => {
  const json = '{"id":12345678901234567890,"list":[1.10,"7"],"n":1e400,"text":"9.10"}';
  const answers = { 'kv.put': written, 'kv.get': { ...secret, data: utf8Bytes(json) } };

  it('are written as they were given', async () => {
    const { calls } = await run(['kv', 'put', 'secret/x', '-'], answers, { stdin: json });
    expect(utf8Text(calls[0]?.[1]['data'] as Uint8Array)).toBe(json);
  });

  it('are shown as they are, in every format', async () => {
    const get = async (...flags: string[]) =>
      (await run(['kv', 'get', 'secret/x', ...flags], answers)).out;
    expect(await get()).toMatch(/^id +12345678901234567890$/m);
    expect(await get()).toContain('[1.10 7]');
    expect(await get('-field=id')).toBe('12345678901234567890');
    expect(await get('-field=list')).toBe('[1.10 7]');
    expect(await get('-format=yaml')).toContain('  id: 12345678901234567890\n');
    const shown = await get('-format=json');
    expect(shown).toContain('"id": 12345678901234567890,');
    expect(shown).toContain('"n": 1e400,');
    expect(shown).toContain('"text": "9.10"');
    expect(await get('-field=id', '-format=json')).toBe('12345678901234567890\n');
  });

  it('do not make JSON of what is none', async () => {
    for (const stdin of ['{"a":01}', '{"a":1.}', '{"a":-}', '{"a":1e}', '{1:2}']) {
      const { status, err } = await run(['kv', 'put', 'secret/x', '-'], answers, { stdin });
      expect([status, err]).toEqual([1, expect.stringContaining('not valid JSON')]);
    }
  });
});

describe('kv patch -method=rw', () => {
  it('writes what it read with the changes, if nothing came in between', async () => {
    const answers = { 'kv.get': secret, 'kv.put': written };
    const args = ['kv', 'patch', '-method=rw', 'secret/x', 'user=b', '-remove-data=password'];
    const { calls, status } = await run(args, answers);
    expect([status, calls.map(([operation]) => operation)]).toEqual([0, ['kv.get', 'kv.put']]);
    expect(calls[1]?.[1]).toMatchObject({ cas: 3 });
    expect(dataOf(calls[1]?.[1])).toEqual({ user: 'b' });
  });
});

describe('kv list -mount', () => {
  it('lists all of it without a path', async () => {
    const { calls } = await run(['kv', 'list', '-mount=secret'], { 'kv.list': { names: [] } });
    expect(calls[0]?.[1]).toMatchObject({ mount: 'secret', path: '' });
    expect((await run(['kv', 'list'])).status).toBe(1);
  });
});

describe('a duration or date that is long', () => {
  it('is shown to its end, and never breaks a command that was carried out', async () => {
    const metadata = { deleteVersionAfterMs: 12_319_000, versions: [] };
    const { out } = await run(['kv', 'metadata', 'get', 'secret/x'], {
      'kv.getMetadata': metadata,
    });
    expect(out).toContain('3h25m19s');
    const answer = { ...written, version: { ...version, deletedAtMs: 9_008_994_879_292_800 } };
    expect((await run(['kv', 'put', 'secret/x', 'a=b'], { 'kv.put': answer })).status).toBe(0);
  });
});
