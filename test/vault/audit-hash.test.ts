import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SecretBytes, SeededRandom } from '../../src/lib/index.ts';
import { type AuditHasher, hashSensitive } from '../../src/vault/audit-hash.ts';
import type { MessageSpec } from '../../src/vault/index.ts';

const key = SecretBytes.take(new SeededRandom(1).bytes(32));
const hashed = (value: string | Uint8Array) =>
  `hmac-sha256:${createHmac('sha256', key.reveal()).update(value).digest('hex')}`;
const hash: AuditHasher = hashed;
const about = '';

const spec = {
  path: { type: 'string', about },
  version: { type: 'uint32', about },
  force: { type: 'bool', about },
  data: { type: 'map', sensitive: true, about },
  token: { type: 'string', sensitive: true, about },
  ttl: { type: 'uint64', sensitive: true, about },
  labels: { type: 'map', about },
  blob: { type: 'bytes', about },
  policies: { type: { list: 'string' }, about },
  shares: { type: { list: 'bytes' }, sensitive: true, about },
  auth: {
    type: {
      message: {
        accessor: { type: 'string', sensitive: true, about },
        name: { type: 'string', about },
      },
    },
    about,
  },
} as const satisfies MessageSpec;

describe('hashes of the audit log', () => {
  test('sensitive values are hashed one by one, names and other values stay readable, defaults go unsaid', () => {
    const told = hashSensitive(
      spec,
      {
        path: 'app/db',
        version: 3,
        force: false,
        data: { username: 'root', password: 's3cr3t' },
        token: 'hvs.abc',
        ttl: 60,
        labels: { team: 'a' },
        blob: new Uint8Array([104, 105]),
        policies: ['default', 'admin'],
        shares: [new Uint8Array([97])],
        auth: { accessor: 'acc', name: 'ops' },
      },
      hash,
    );
    expect(told).toEqual({
      path: 'app/db',
      version: 3,
      data: { username: hashed('root'), password: hashed('s3cr3t') },
      token: hashed('hvs.abc'),
      ttl: hashed('60'),
      labels: { team: 'a' },
      blob: hashed('hi'),
      policies: ['default', 'admin'],
      shares: [hashed('a')],
      auth: { accessor: hashed('acc'), name: 'ops' },
    });
  });

  test('what the spec does not know is left out, and what has the wrong type is hashed', () => {
    const payload = {
      surprise: 'SECRET',
      path: { hidden: 'SECRET' },
      version: 'SECRET',
      labels: { a: { b: 'SECRET' } },
      policies: 'SECRET',
      auth: ['SECRET'],
      constructor: 'SECRET',
    };
    const text = JSON.stringify(hashSensitive(spec, payload, hash));
    expect(text).not.toContain('SECRET');
    expect(Object.keys(hashSensitive(spec, payload, hash))).not.toContain('surprise');
  });

  test('no sensitive value is ever in what is told', () => {
    const secret = fc.string({ minLength: 6, maxLength: 20 }).map((text) => `<${text}>`);
    fc.assert(
      fc.property(secret, (value) => {
        const payload = {
          data: { a: value, b: value },
          token: value,
          shares: [value, { deep: [value] }],
          auth: { accessor: value, unknown: value },
        };
        const told = JSON.stringify(hashSensitive(spec, payload, hash));
        expect(told).not.toContain(JSON.stringify(value).slice(1, -1));
      }),
    );
  });
});
