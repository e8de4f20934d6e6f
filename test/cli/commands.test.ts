import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { StrongroomError } from '../../src/lib/index.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { run } from './fake-io.ts';

const secretText = 'srt.marked-token-value';
const auth = {
  revision: 3,
  token: secretText,
  accessor: 'acc',
  policies: ['default', 'ro'],
  ttlMs: 5_400_000,
  renewable: true,
  orphan: false,
  numUses: 0,
  meta: {},
  warnings: [],
};

describe('status', () => {
  const status = {
    initialized: true,
    sealed: false,
    state: 'unsealed',
    clusterId: 'c',
    node: 1,
    slots: [],
    nodes: [],
  };

  it.each([
    ['unsealed', {}, 0],
    ['sealed', { sealed: true, state: 'sealed' }, 2],
    ['not initialized', { initialized: false, state: 'uninitialized' }, 2],
  ])('of a node that is %s', async (_what, change, expected) => {
    const answers = { 'seal.status': { ...status, ...change } };
    expect((await run(['status'], answers)).status).toBe(expected);
    const json = await run(['status', '-format=json'], answers);
    expect(JSON.parse(json.out)).toMatchObject(change);
    expect(json.status).toBe(expected);
  });

  it('of a node that nobody can reach is status 4', async () => {
    const error = new StrongroomError('client.unreachable', 'Cannot reach any node');
    const { status: code, err } = await run(['status'], { 'seal.status': error });
    expect(code).toBe(4);
    expect(err).toContain('STRONGROOM_ADDR');
  });

  it('shows progress, slots and nodes', async () => {
    const { out } = await run(['status'], {
      'seal.status': {
        ...status,
        sealed: true,
        sharesNeeded: 3,
        sharesGiven: 1,
        slots: [
          {
            name: 'hsm',
            kind: 'pkcs11',
            health: 'unreachable',
            kekGeneration: 2,
            reason: 'no module',
          },
        ],
        nodes: [{ node: 2, state: 'waiting', restartReady: false, reason: 'token gone' }],
      },
    });
    expect(out).toMatch(/unseal_progress +1\/3/);
    expect(out).toMatch(/hsm +pkcs11 +unreachable +2 +no module/);
    expect(out).toMatch(/2 +waiting +no +n\/a +token gone/);
  });
});

describe('whom and what a command talks to', () => {
  const answers = { 'token.lookupSelf': {} };

  it('comes from the environment', async () => {
    const ca = join(temporaryFolder(), 'ca.pem');
    writeFileSync(ca, 'PEM');
    const { target } = await run(['token', 'lookup'], answers, {
      env: {
        STRONGROOM_ADDR: 'https://a:1, b',
        STRONGROOM_TOKEN: 't',
        STRONGROOM_CACERT: ca,
        STRONGROOM_NAMESPACE: '/team-a/',
        STRONGROOM_TIMEOUT: '5s',
      },
    });
    expect(target).toEqual({
      addresses: ['a:1', 'b:8200'],
      caPem: 'PEM',
      insecurePlaintext: false,
      token: 't',
      namespace: 'team-a',
      region: undefined,
      deadlineMs: 5000,
    });
  });

  it('comes from flags before the environment, wherever they stand', async () => {
    const env = { STRONGROOM_ADDR: 'b:2', STRONGROOM_NAMESPACE: 'x' };
    for (const args of [
      ['-a', 'a:1', '--namespace', 'y', 'token', 'lookup'],
      ['token', 'lookup', '-address=a:1', '-namespace=y'],
    ]) {
      const { target } = await run(args, answers, { env });
      expect(target).toMatchObject({ addresses: ['a:1'], namespace: 'y' });
    }
  });

  it('is this machine with TLS when nothing is said', async () => {
    const { target } = await run(['token', 'lookup'], answers);
    expect(target).toMatchObject({
      addresses: ['127.0.0.1:8200'],
      insecurePlaintext: false,
      token: undefined,
    });
  });

  it('is never plain text unless that is asked for by name', async () => {
    const refused = await run(['-a', 'http://a:1', 'token', 'lookup'], answers);
    expect(refused.status).toBe(1);
    expect(refused.err).toContain('--insecure-plaintext');
    const asked = await run(
      ['-a', 'http://a:1', '--insecure-plaintext', 'token', 'lookup'],
      answers,
    );
    expect(asked.target?.insecurePlaintext).toBe(true);
  });

  it.each(['a:b:c', 'a b', 'ftp://a', 'user@host:1', ''])('is refused as %j', async (address) => {
    const { status, target } = await run([`--address=${address},`, 'token', 'lookup'], answers);
    expect(status).toBe(1);
    expect(target).toBeUndefined();
  });
});

describe('login', () => {
  it('keeps a token that is good, for its owner only, and uses it later', async () => {
    const homeDir = temporaryFolder();
    const answers = { 'token.lookupSelf': { accessor: 'acc', token: secretText } };
    const login = await run(['login'], answers, { homeDir, typed: secretText });
    expect(login.status).toBe(0);
    expect(login.target?.token).toBe(secretText);
    expect(login.out + login.err).not.toContain(secretText);
    const file = join(homeDir, '.strongroom-token');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await run(['token', 'lookup'], answers, { homeDir })).target?.token).toBe(secretText);
  });

  it('keeps nothing when the token is bad', async () => {
    const homeDir = temporaryFolder();
    const bad = new StrongroomError('auth.permission-denied', 'Permission denied');
    const { status } = await run(
      ['login', '-'],
      { 'token.lookupSelf': bad },
      { homeDir, stdin: secretText },
    );
    expect(status).toBe(2);
    expect(() => statSync(join(homeDir, '.strongroom-token'))).toThrow(/ENOENT/);
  });
});

describe('secrets in arguments', () => {
  it.each([
    ['login', ['login', secretText]],
    ['token lookup', ['token', 'lookup', secretText]],
    ['token renew', ['token', 'renew', secretText]],
    ['token revoke', ['token', 'revoke', secretText]],
    ['token capabilities', ['token', 'capabilities', 'a', '--token', secretText]],
    ['operator unseal', ['operator', 'unseal', secretText]],
    ['audit hash', ['audit', 'hash', secretText]],
  ])('are refused by %s and not repeated', async (_name, args) => {
    const { status, err, out, calls } = await run(args);
    expect(status).toBe(1);
    expect(calls).toEqual([]);
    expect(err).toContain('standard input');
    expect(err + out).not.toContain(secretText);
  });

  it('are asked for on a terminal, and from standard input otherwise', async () => {
    const answers = { 'seal.unseal': { initialized: true, sealed: true, state: 'sealed' } };
    const typed = await run(['operator', 'unseal'], answers, { typed: 'share-1' });
    expect(typed.calls[0]?.[1]).toMatchObject({ share: 'share-1' });
    const piped = await run(['operator', 'unseal', '-'], answers, { stdin: 'share-2\n' });
    expect(piped.calls[0]?.[1]).toMatchObject({ share: 'share-2' });
    expect((await run(['operator', 'unseal'], answers)).status).toBe(1);
  });
});

describe('token', () => {
  it('create shows the token once, with its facts', async () => {
    const { out, calls } = await run(
      [
        'token',
        'create',
        '-policy=ro',
        '-policy=b',
        '-ttl=1h30m',
        '-orphan',
        '-no-default-policy',
        '-metadata',
        'team=a',
      ],
      { 'token.create': auth },
    );
    expect(calls[0]?.[1]).toMatchObject({
      policies: ['ro', 'b'],
      ttlMs: 5_400_000,
      noParent: true,
      noDefaultPolicy: true,
      meta: { team: 'a' },
    });
    expect(calls[0]?.[1]).not.toHaveProperty('renewable');
    expect(out).toMatchInlineSnapshot(`
      "Key                Value
      ---                -----
      token              srt.marked-token-value
      token_accessor     acc
      token_duration     1h30m
      token_renewable    true
      token_policies     [default ro]
      token_orphan       false
      token_uses         any number
      "
    `);
  });

  it('create gives only the token to scripts that ask for it', async () => {
    const { out } = await run(['token', 'create', '-field=token'], { 'token.create': auth });
    expect(out).toBe(secretText);
  });

  it('lookup and renew never show the token', async () => {
    const answers = { 'token.lookup': auth, 'token.renewSelf': auth, 'token.lookupSelf': auth };
    for (const args of [
      ['token', 'lookup', '-'],
      ['token', 'lookup'],
      ['token', 'renew'],
    ]) {
      for (const format of ['table', 'json', 'yaml']) {
        const { out, status } = await run([...args, '--format', format], answers, { stdin: 'x' });
        expect(status).toBe(0);
        expect(out).not.toContain(secretText);
      }
    }
  });

  it('revoke wants to know which', async () => {
    expect((await run(['token', 'revoke'])).status).toBe(1);
    const self = await run(['token', 'revoke', '--self'], { 'token.revokeSelf': {} });
    expect(self.calls).toEqual([['token.revokeSelf', {}]]);
    const other = await run(['token', 'revoke', '--accessor', 'a', '--orphan'], {
      'token.revokeOrphan': {},
    });
    expect(other.calls).toEqual([['token.revokeOrphan', { accessor: 'a' }]]);
  });
});

describe('operator', () => {
  it('init shows token and shares once, and says so', async () => {
    const answer = { rootToken: secretText, shares: ['s1', 's2'], clusterId: 'c' };
    const { out, err, calls } = await run(
      ['operator', 'init', '-key-shares=2', '-key-threshold=2'],
      { 'seal.init': answer },
    );
    expect(calls[0]).toEqual(['seal.init', { shares: 2, threshold: 2 }]);
    expect(out).toMatch(/share_1 +s1\nshare_2 +s2\nroot_token +srt\./);
    expect(err).toContain('not shown again');
  });

  it('init --out writes a file for its owner only, and shows nothing', async () => {
    const out = join(temporaryFolder(), 'init.json');
    const answers = { 'seal.init': { rootToken: secretText, shares: [], clusterId: 'c' } };
    const result = await run(['operator', 'init', '--out', out], answers);
    expect(result.out + result.err).not.toContain(secretText);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(readFileSync(out, 'utf8')).toContain(secretText);
    // Again: refused before anything is asked, because what init tells is told once.
    const again = await run(['operator', 'init', '--out', out], answers);
    expect(again.status).toBe(1);
    expect(again.calls).toEqual([]);
  });

  it('rotate root --compromise tells which slots unseal no more', async () => {
    const answer = { epoch: 2, rootId: 'aa', kekFingerprint: '', shares: [], dropped: ['paper'] };
    const answers = { 'seal.rotateRoot': answer };
    const { out, err, calls } = await run(['operator', 'rotate', 'root', '--compromise'], answers);
    expect(calls).toEqual([['seal.rotateRoot', { compromise: true }]]);
    expect(out).not.toContain('kekFingerprint');
    expect(err).toContain('Slot "paper" was dropped');
    const json = await run(['operator', 'rotate', 'root', '--format=json'], answers);
    expect(json.calls).toEqual([['seal.rotateRoot', { compromise: false }]]);
    expect(JSON.parse(json.out)).toEqual(answer);
  });

  it('rotate kek of a shamir slot shows the new shares once, or keeps them in a new file', async () => {
    const answers = {
      'seal.rotateKek': { epoch: 1, rootId: 'aa', kekFingerprint: 'bb', shares: ['s1', 's2'] },
    };
    const asked = ['operator', 'rotate', 'kek', 'paper', '--key-shares=2', '--key-threshold=2'];
    const shown = await run(asked, answers);
    expect(shown.calls).toEqual([['seal.rotateKek', { slot: 'paper', shares: 2, threshold: 2 }]]);
    expect(shown.out).toMatch(/share_1 +s1\nshare_2 +s2/);
    expect(shown.err).toContain('not shown again');
    const file = join(temporaryFolder(), 'shares.json');
    const kept = await run([...asked, '--out', file], answers);
    expect(kept.out).toBe('');
    expect(readFileSync(file, 'utf8')).toContain('"s2"');
    const again = await run([...asked, '--out', file], answers);
    expect(again.status).toBe(1);
    expect(again.calls).toEqual([]);
  });

  it('members are named by id or name', async () => {
    const answers = {
      'cluster.status': { members: [{ node: 7, name: 'node-b' }] },
      'cluster.promote': { revision: 1 },
    };
    const byName = await run(['operator', 'members', 'promote', 'node-b'], answers);
    expect(byName.calls.at(-1)).toEqual(['cluster.promote', { node: 7 }]);
    const byId = await run(['operator', 'members', 'promote', '9'], answers);
    expect(byId.calls).toEqual([['cluster.promote', { node: 9 }]]);
    const unknown = await run(['operator', 'members', 'promote', 'nobody'], answers);
    expect(unknown.status).toBe(1);
    expect(unknown.err).toContain('node-b');
  });

  it('members join keeps the token where the configuration says, after looking at both', async () => {
    const folder = temporaryFolder();
    const config = join(folder, 'node.yaml');
    const base = {
      name: 'node-2',
      dataDir: 'data',
      api: { listen: '127.0.0.1:1' },
      peer: { listen: '127.0.0.1:2' },
      seal: { slots: [{ name: 'dev', kind: 'dev' }] },
    };
    writeFileSync(config, JSON.stringify(base));
    const without = await run(
      ['operator', 'members', 'join', '-c', config, '-'],
      {},
      { stdin: 'srj.abc' },
    );
    expect(without.err).toContain('join section');
    writeFileSync(
      config,
      JSON.stringify({ ...base, join: { tokenFile: 'token', addresses: ['a:1'] } }),
    );
    const bad = await run(
      ['operator', 'members', 'join', '-c', config, '-'],
      {},
      { stdin: 'hello' },
    );
    expect(bad.status).toBe(1);
    const good = await run(
      ['operator', 'members', 'join', '-c', config, '-'],
      {},
      { stdin: 'srj.abc\n' },
    );
    expect(good.status).toBe(0);
    expect(good.out).not.toContain('srj.abc');
    expect(readFileSync(join(folder, 'token'), 'utf8')).toBe('srj.abc\n');
  });

  it('snapshot save leaves no half a file', async () => {
    const file = join(temporaryFolder(), 's.snap');
    const good = await run(
      ['operator', 'snapshot', 'save', file],
      {},
      { snapshot: [new Uint8Array([1, 2])] },
    );
    expect(good.status).toBe(0);
    expect([...readFileSync(file)]).toEqual([1, 2]);
    expect(() => statSync(`${file}.partial`)).toThrow(/ENOENT/);
  });

  it('snapshot save that cannot write says where, and streams into what is no file', async () => {
    const world = { snapshot: [new Uint8Array([1, 2])] };
    const save = (file: string) => run(['operator', 'snapshot', 'save', file], {}, world);
    const bad = await save('/nonexistent/s.snap');
    expect([bad.status, bad.err]).toEqual([1, expect.stringContaining('cli.file-unwritable')]);
    expect((await save('/dev/full')).err).toContain('ENOSPC');
    expect((await save('/dev/null')).status).toBe(0);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it('snapshot restore and namespace delete want --yes', async () => {
    expect((await run(['operator', 'snapshot', 'restore', 'x'])).err).toContain('--yes');
    expect((await run(['namespace', 'delete', 'x'])).err).toContain('--yes');
    expect((await run(['secrets', 'disable', 'x'])).err).toContain('--yes');
  });

  it('snapshot inspect refuses a file that is none', async () => {
    const { status, err } = await run(
      ['operator', 'snapshot', 'inspect', '-'],
      {},
      { stdin: 'not a snapshot, certainly' },
    );
    expect(status).toBe(2);
    expect(err).toContain('store.snapshot-invalid');
  });
});

describe('policy', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = temporaryFolder();
    file = join(folder, 'p.hcl');
    writeFileSync(file, 'path "secret/data/*" {   capabilities = ["read"] }');
  });

  it('test tells by its status what the policy says', async () => {
    const args = (capability: string) => [
      'policy',
      'test',
      file,
      '--path',
      'secret/data/a',
      '--capability',
      capability,
    ];
    expect((await run(args('read'))).status).toBe(0);
    expect((await run(args('delete'))).status).toBe(3);
    expect((await run(args('fly'))).status).toBe(1);
  });

  it('fmt --check changes nothing, fmt brings the file into form', async () => {
    const before = readFileSync(file, 'utf8');
    expect((await run(['policy', 'fmt', '--check', file])).status).toBe(3);
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect((await run(['policy', 'fmt', file])).status).toBe(0);
    expect((await run(['policy', 'fmt', '--check', file])).status).toBe(0);
  });

  it('write sends the file byte for byte', async () => {
    const { calls } = await run(
      ['policy', 'write', 'ro', '-'],
      { 'policy.put': {} },
      { stdin: ' path "a" {}\n' },
    );
    expect(calls).toEqual([['policy.put', { name: 'ro', policy: ' path "a" {}\n' }]]);
  });
});

describe('the rest', () => {
  it('watch prints a line an event, and JSON lines', async () => {
    const events = [{ kind: 'put', path: 'team/\u001bdb', version: 2, revision: 9 }];
    expect((await run(['watch', 'secret/team'], {}, { events })).out).toBe(
      '9\tput\tteam/\\x1bdb\t2\n',
    );
    const json = await run(['watch', 'secret/team', '--format', 'json'], {}, { events });
    expect(JSON.parse(json.out)).toEqual(events[0]);
  });

  it('watch tells beside its output that it waits for a node, and when it goes on', async () => {
    const interrupted = new StrongroomError('client.unreachable', 'Nobody\u001b answers');
    const { out, err } = await run(['watch', 'secret/team'], {}, { events: [], interrupted });
    expect(out).toBe('');
    expect(err).toBe(
      'Waiting for a node: Nobody\\x1b answers\nWatching again, nothing was missed\n',
    );
  });

  it('audit verify says by its status whether the log is whole', async () => {
    const file = join(temporaryFolder(), 'audit.log');
    writeFileSync(file, '{"sequence":1,"previous":"00"}\n');
    const { status, err } = await run(['audit', 'verify', file]);
    expect(status).toBe(3);
    expect(err).toContain('Line 1');
  });

  it('audit verify does not call a log whole that nobody vouches for, though that was asked', async () => {
    const file = join(temporaryFolder(), 'audit.log');
    writeFileSync(file, '');
    const { status, err } = await run(['audit', 'verify', file, '--node', '9'], {
      'seal.status': { clusterId: 'c' },
      'audit.heads': { heads: [], keys: [] },
    });
    expect(status).toBe(1);
    expect(err).toContain('no head of node 9');
  });

  it('version tells the version of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect((await run(['version', '--format', 'json'])).out).toContain(`"version": "${version}"`);
    expect((await run(['--version'])).out).toContain(version);
  });

  it('server refuses a wrong configuration before anything starts', async () => {
    const file = join(temporaryFolder(), 'node.yaml');
    writeFileSync(file, 'nmae: x\n');
    const { status, err } = await run(['server', '-c', file]);
    expect(status).toBe(1);
    expect(err).toContain('"nmae" is unknown, did you mean "name"?');
  });

  it('an unknown command or flag is status 1 with the nearest known one', async () => {
    const command = await run(['kv', 'gett', 'x']);
    expect(command.status).toBe(1);
    expect(command.err).toContain('Did you mean get?');
    const flag = await run(['kv', 'get', '--feild', 'a', 'secret/x']);
    expect(flag.status).toBe(1);
    expect(flag.err).toContain('--field');
  });

  it('a command that was called off is status 130', async () => {
    const { status } = await run(
      ['kv', 'get', 'secret/x'],
      { 'kv.get': new Error('off') },
      { signal: AbortSignal.abort() },
    );
    expect(status).toBe(130);
  });
});

describe('what hands know from vault', () => {
  const status = { initialized: true, sealed: false, keyringEpoch: 4, rootId: 'r', members: [] };

  it('lists members and rotates the keyring without a further word', async () => {
    const answers = { 'cluster.status': status, 'seal.rotateKeyring': { revision: 1, epoch: 2 } };
    for (const args of [['members'], ['members', 'list'], ['raft', 'list-peers']]) {
      expect((await run(['operator', ...args], answers)).calls).toEqual([['cluster.status', {}]]);
    }
    const { calls } = await run(['operator', 'rotate'], answers);
    expect(calls).toEqual([['seal.rotateKeyring', {}]]);
    const removed = await run(['operator', 'raft', 'remove-peer', '3'], { 'cluster.remove': {} });
    expect(removed.calls).toEqual([['cluster.remove', { node: 3 }]]);
  });

  it('asks whether the vault has begun, and which epoch its keyring has', async () => {
    const asked = (initialized: boolean) =>
      run(['operator', 'init', '-status'], { 'seal.status': { ...status, initialized } });
    expect((await asked(true)).status).toBe(0);
    expect((await asked(false)).status).toBe(2);
    expect((await run(['operator', 'key-status'], { 'seal.status': status })).out).toContain('4');
  });

  it('prints the token in use, and takes one with a line break at its end', async () => {
    const env = { STRONGROOM_TOKEN: 'srt.abc\n' };
    expect((await run(['print', 'token'], {}, { env })).out).toBe('srt.abc');
    const answers = { 'token.lookupSelf': { accessor: 'a', policies: ['x'], token: 'srt.abc' } };
    const { target, out } = await run(['token', 'lookup', '-field=policies'], answers, { env });
    expect([target?.token, out]).toEqual(['srt.abc', '["x"]']);
    const shown = await run(['token', 'lookup', '-field=token'], answers, { env });
    expect([shown.status, shown.out]).toEqual([1, '']);
    const torn = await run(['status'], {}, { env: { STRONGROOM_TOKEN: 'srt.a b' } });
    expect(torn.err).toContain('copy it again');
    expect(torn.err).not.toContain('srt.a b');
  });

  it('revokes without children by mode, and makes service tokens', async () => {
    const answers = { 'token.revokeOrphan': {}, 'token.create': auth };
    const revoked = await run(['token', 'revoke', '-mode=orphan', '-accessor=a'], answers);
    expect(revoked.calls).toEqual([['token.revokeOrphan', { accessor: 'a' }]]);
    const made = await run(
      ['token', 'create', '-type=service', '-renewable=false', '-orphan=true', '-num-uses=2'],
      answers,
    );
    expect(made.calls[0]?.[1]).toMatchObject({ renewable: false, noParent: true, numUses: 2 });
    expect((await run(['token', 'create', '-type=batch'], answers)).status).toBe(1);
  });

  it('writes paths of namespaces and mounts with a final slash, and kv by its version', async () => {
    const answers = { 'namespace.create': { path: 'a' }, 'namespace.mount': {} };
    const made = await run(['namespace', 'create', 'a/'], answers);
    expect(made.calls).toEqual([['namespace.create', { path: 'a' }]]);
    for (const args of [['kv-v2'], ['kv', '-version=2']]) {
      const { calls } = await run(['secrets', 'enable', '-path=s/', ...args], answers);
      expect(calls[0]?.[1]).toMatchObject({ path: 's', type: 'kv' });
    }
    expect((await run(['secrets', 'enable', '-version=1', 'kv'], answers)).status).toBe(1);
  });

  it('makes a join token for the region that is named, whichever flag names it', async () => {
    const answers = { 'cluster.createJoinToken': { joinToken: 'srj.x', expiresAtMs: 1 } };
    for (const flag of ['--region', '--node-region']) {
      const args = ['operator', 'members', 'join-token', '--kind', 'replica', flag, 'eu'];
      expect((await run(args, answers)).calls[0]?.[1]).toMatchObject({ region: 'eu' });
    }
  });
});
