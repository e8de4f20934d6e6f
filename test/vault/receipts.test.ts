import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { putRequest } from '../../src/engines/kv/messages.ts';
import { hex, utf8Bytes } from '../../src/lib/index.ts';
import { checkMessage } from '../../src/vault/message.ts';
import type { FieldSpec, MessageSpec } from '../../src/vault/operation.ts';
import { scopedRequestId } from '../../src/vault/receipts.ts';

type Payload = Readonly<Record<string, unknown>>;

const field = (type: FieldSpec['type']): FieldSpec => ({ type, about: '' });
const optional = (type: FieldSpec['type']): FieldSpec => ({ type, about: '', optional: true });
const inner: MessageSpec = { key: field('bytes'), names: field({ list: 'string' }) };
const spec: MessageSpec = {
  path: field('string'),
  data: field('bytes'),
  cas: optional('uint64'),
  isLast: field('bool'),
  shares: field({ list: 'bytes' }),
  metadata: field('map'),
  nested: field({ message: inner }),
};
/** The same as the next version may have it: a field more of every kind, also within. */
const more: MessageSpec = {
  note: field('string'),
  blob: field('bytes'),
  count: field('uint32'),
  isLoud: field('bool'),
  tags: field({ list: 'string' }),
  options: field('map'),
  about: field({ message: { note: field('string') } }),
  limit: optional('uint64'),
  seal: optional('bytes'),
};
const later: MessageSpec = {
  ...spec,
  nested: field({ message: { ...inner, ...more } }),
  ...more,
};

const scope = {
  requestId: new Uint8Array(16),
  tokenHash: 'ab',
  namespace: { path: '', uuid: new Uint8Array(16) },
} as const;
const put = { name: 'kv.put', request: spec };
const idOf = (payload: Payload, other: Partial<Parameters<typeof scopedRequestId>[0]> = {}) => {
  const { request } = other.operation ?? put;
  const checked = checkMessage(request, payload);
  return hex(scopedRequestId({ ...scope, operation: put, payload: checked, ...other }));
};

const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'));
const bytes = fc.uint8Array({ maxLength: 40 });
const payloads = fc.record(
  {
    path: text,
    data: bytes,
    cas: fc.nat(),
    isLast: fc.boolean(),
    shares: fc.array(bytes, { maxLength: 3 }),
    metadata: fc.dictionary(text, text),
    nested: fc.record({ key: bytes, names: fc.array(text) }),
  },
  { requiredKeys: [] },
);

function asBuffers(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(asBuffers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, asBuffers(one)]));
}

const plain = (payload: Payload) =>
  JSON.stringify(checkMessage(spec, payload), (_key, value) =>
    value instanceof Uint8Array ? [hex(value)] : value,
  );

describe('the name of a request inside', () => {
  test('is the same whether its bytes came as Buffers or not: a retry may come by another way', () => {
    fc.assert(
      fc.property(payloads, (payload) => {
        expect(idOf(asBuffers(payload) as Payload)).toBe(idOf(payload));
      }),
    );
  });

  test('is the same for a node of the next version, whose requests have more fields', () => {
    const operation = { ...put, request: later };
    fc.assert(
      fc.property(payloads, (payload) => {
        expect(idOf(payload, { operation })).toBe(idOf(payload));
      }),
    );
  });

  test('is what it was in former versions: while a cluster is upgraded a retry may meet either', () => {
    const operation = { name: 'kv.put', request: putRequest };
    const requestId = utf8Bytes('0123456789abcdef');
    const namespace = { path: '', uuid: new Uint8Array(16).fill(7) };
    const other = { operation, requestId, namespace, tokenHash: 'a1b2' };
    const payload = { mount: 'secret', path: 'team/db', data: utf8Bytes('{"a":1}') };
    // Never to be changed: nodes that run would not know their requests again.
    expect(idOf({ ...payload, cas: 3 }, other)).toBe(
      '1949882e28f6c25269066d0fb1cbe2ef41a6dd4d96a7c1ed6e7b0abb4c89be78',
    );
    expect(idOf(payload, other)).toBe(
      '0d746c2216c9bd3b91dc02776fa97026f691d5e3db8b11c2009932710151df48',
    );
  });

  test('is another for a number that is 0 and for one that was not given, where that differs', () => {
    expect(idOf({ cas: 0 })).not.toBe(idOf({}));
    expect(idOf({ nested: {} })).not.toBe(idOf({}));
    const operation = { ...put, request: later };
    expect(idOf({ seal: new Uint8Array() }, { operation })).not.toBe(idOf({}, { operation }));
  });

  test('is another for another payload', () => {
    fc.assert(
      fc.property(payloads, payloads, (one, two) => {
        fc.pre(plain(one) !== plain(two));
        expect(idOf(one)).not.toBe(idOf(two));
      }),
    );
  });

  test('is another when bytes move from one field to the next', () => {
    const [long, short] = [Uint8Array.of(1, 2), Uint8Array.of(1)];
    expect(idOf({ data: long, shares: [Uint8Array.of(3)] })).not.toBe(
      idOf({ data: short, shares: [Uint8Array.of(2, 3)] }),
    );
    expect(idOf({ shares: [long, short] })).not.toBe(idOf({ shares: [short, long] }));
  });

  test('is another for another token, namespace, operation or id', () => {
    const ids = [
      idOf({}),
      idOf({}, { tokenHash: 'cd' }),
      idOf({}, { namespace: { path: 'a/', uuid: new Uint8Array(16).fill(1) } as never }),
      idOf({}, { operation: { ...put, name: 'kv.patch' } }),
      idOf({}, { requestId: new Uint8Array(17) }),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});
