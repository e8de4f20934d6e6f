import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode, StrongroomError } from '../../../src/lib/index.ts';
import { nearestWord, parseNodeConfig, readNodeConfig } from '../../../src/server/config/index.ts';
import { temporaryFolder } from '../../harness/temporary-folder.ts';

const minimal = {
  name: 'node-1',
  dataDir: 'data',
  api: { listen: '127.0.0.1:8200' },
  peer: { listen: '127.0.0.1:8201' },
  seal: { slots: [{ name: 'dev', kind: 'dev' }] },
};

const parse = (config: unknown) => parseNodeConfig(JSON.stringify(config), 'test.yaml');

function refusal(config: unknown): string {
  try {
    parse(config);
  } catch (error) {
    if (hasCode(error, 'config.invalid')) return error.message;
    throw error;
  }
  return 'accepted';
}

const hsm = { name: 'hsm', kind: 'pkcs11', module: '/m.so', token: 'root' };

describe('node configuration', () => {
  it('fills in defaults', () => {
    expect(parse(minimal)).toMatchObject({
      region: 'local',
      kind: 'voter',
      bootstrap: false,
      api: { insecurePlaintext: false },
      raft: { tickMs: 50, electionTicks: 12 },
      replica: { stalenessMaxMs: 10_000 },
      log: { level: 'info' },
    });
  });

  it('accepts the example of the documentation, and documents every field', () => {
    const page = readFileSync('docs/configuration.md', 'utf8');
    const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    expect(parseNodeConfig(example, 'example').seal.slots[0]?.kind).toBe('pkcs11');
    const fields = (value: object, at = ''): string[] =>
      Object.entries(value).flatMap(([key, inner]) =>
        typeof inner === 'object' && inner !== null && !Array.isArray(inner) && key !== 'routes'
          ? fields(inner as object, `${at}${key}.`)
          : [`${at}${key}`],
      );
    for (const field of fields(parse(minimal))) expect(page).toContain(`| \`${field}\``);
  });

  it('refuses an unknown field by name, with the nearest known one', () => {
    expect(refusal({ ...minimal, datadir: 'x' })).toContain(
      '"datadir" is unknown, did you mean "dataDir"?',
    );
    expect(refusal({ ...minimal, api: { ...minimal.api, lisen: 'x' } })).toContain(
      '"api.lisen" is unknown, did you mean "listen"?',
    );
    expect(refusal({ ...minimal, raft: { tickMS: 5 } })).toContain('did you mean "tickMs"?');
    expect(
      refusal({ ...minimal, seal: { slots: [{ ...hsm, pinFile: 'p', tokn: 'x' }] } }),
    ).toContain('"seal.slots.0.tokn" is unknown, did you mean "token"?');
  });

  it('lists what is known when nothing is near', () => {
    expect(refusal({ ...minimal, metrics: { listen: 'a:1', zebra: 1 } })).toContain(
      'known here: listen, advertise',
    );
  });

  it('never takes a PIN in the configuration itself, nor repeats it', () => {
    const message = refusal({ ...minimal, seal: { slots: [{ ...hsm, pin: '314159' }] } });
    expect(message).toContain('pinF');
    expect(message).not.toContain('314159');
  });

  it('wants exactly one source of the PIN', () => {
    expect(refusal({ ...minimal, seal: { slots: [hsm] } })).toContain('exactly one of pinFile');
    expect(
      refusal({ ...minimal, seal: { slots: [{ ...hsm, pinFile: 'p', pinFd: 3 }] } }),
    ).toContain('exactly one of pinFile');
    expect(refusal({ ...minimal, seal: { slots: [{ ...hsm, pinFd: 3 }] } })).toBe('accepted');
    expect(refusal({ ...minimal, seal: { slots: [{ ...hsm, pinPrompt: true }] } })).toBe(
      'accepted',
    );
  });

  it.each([
    [
      'bootstrap beside join',
      { bootstrap: true, join: { tokenFile: 't', addresses: ['a:1'] } },
      'bootstrap',
    ],
    ['a replica that bootstraps', { bootstrap: true, kind: 'replica' }, 'bootstrap'],
    ['a wildcard without advertise', { api: { listen: '0.0.0.0:1' } }, 'api.advertise'],
    ['a port that is none', { peer: { listen: 'a:70000' } }, 'peer.listen'],
    ['an address without a port', { peer: { listen: 'localhost' } }, 'host:port'],
    ['a name with a slash', { name: '../x' }, '"name"'],
    [
      'elections faster than heartbeats',
      { raft: { heartbeatTicks: 5, electionTicks: 6 } },
      'electionTicks',
    ],
    [
      'two slots of one name',
      {
        seal: {
          slots: [
            { name: 'a', kind: 'dev' },
            { name: 'a', kind: 'shamir' },
          ],
        },
      },
      'one name',
    ],
    ['no slot', { seal: { slots: [] } }, 'seal.slots'],
    ['an unknown kind of slot', { seal: { slots: [{ name: 'a', kind: 'tpm' }] } }, 'seal.slots.0'],
  ])('refuses %s', (_what, change, named) => {
    expect(refusal({ ...minimal, ...change })).toContain(named);
  });

  it('names every problem at once', () => {
    const message = refusal({ ...minimal, name: 7, bogus: 1 });
    expect(message).toMatch(/"name".*"bogus"|"bogus".*"name"/);
  });

  it('says where broken YAML is, without quoting the line', () => {
    const broken = 'name: a\nseal: [ "my-secret-pin\n';
    expect(() => parseNodeConfig(broken, 'x')).toThrow(/not valid YAML or JSON at line/);
    expect(() => parseNodeConfig(broken, 'x')).not.toThrow(/my-secret-pin/);
  });

  it('refuses any text with a StrongroomError, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => parseNodeConfig(text, 'fuzz')).toThrow(StrongroomError);
      }),
    );
  });

  it('reads paths relative to the file', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'node.yaml');
    writeFileSync(
      file,
      JSON.stringify({
        ...minimal,
        seal: { slots: [{ ...hsm, pinFile: 'pin' }] },
        audit: { files: [{ name: 'main', path: '/var/audit.log' }] },
      }),
    );
    const config = readNodeConfig(file);
    expect(config.dataDir).toBe(join(folder, 'data'));
    expect(config.seal.slots[0]).toMatchObject({ pinFile: join(folder, 'pin') });
    expect(config.audit.files[0]?.path).toBe('/var/audit.log');
  });

  it('says that a file is missing', () => {
    expect(() => readNodeConfig('/nowhere/node.yaml')).toThrow(/\/nowhere\/node.yaml: ENOENT/);
  });

  it('finds the nearest word across a swap, a slip of case and a lost letter', () => {
    expect(nearestWord('lsiten', ['listen', 'advertise'])).toBe('listen');
    expect(nearestWord('ADVERTISE', ['listen', 'advertise'])).toBe('advertise');
    expect(nearestWord('zebra', ['listen', 'advertise'])).toBeUndefined();
  });
});
