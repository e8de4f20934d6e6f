import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/lib/index.ts';
import { scopedRequestId } from '../../src/vault/receipts.ts';

type Payload = Readonly<Record<string, unknown>>;

const scope = {
  requestId: new Uint8Array(16),
  tokenHash: 'ab',
  namespace: { path: '', uuid: new Uint8Array(16) },
  operation: 'kv.put',
} as const;
const idOf = (payload: Payload, other: Partial<Parameters<typeof scopedRequestId>[0]> = {}) =>
  hex(scopedRequestId({ ...scope, payload, ...other }));

const bytes = fc.uint8Array({ maxLength: 40 });
const payloads = fc.record(
  {
    path: fc.string({ unit: 'binary' }),
    data: bytes,
    cas: fc.nat(),
    isLast: fc.boolean(),
    shares: fc.array(bytes, { maxLength: 3 }),
    metadata: fc.dictionary(fc.string({ unit: 'binary' }), fc.string()),
    nested: fc.record({ key: bytes, names: fc.array(fc.string()) }),
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
  JSON.stringify(payload, (_key, value) => (value instanceof Uint8Array ? [hex(value)] : value));

describe('the name of a request inside', () => {
  test('is the same whether its bytes came as Buffers or not: a retry may come by another way', () => {
    fc.assert(
      fc.property(payloads, (payload) => {
        expect(idOf(asBuffers(payload) as Payload)).toBe(idOf(payload));
      }),
    );
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
    expect(idOf({ key: long, data: Uint8Array.of(3) })).not.toBe(
      idOf({ key: short, data: Uint8Array.of(2, 3) }),
    );
    expect(idOf({ shares: [long, short] })).not.toBe(idOf({ shares: [short, long] }));
  });

  test('is another for another token, namespace, operation or id', () => {
    const ids = [
      idOf({}),
      idOf({}, { tokenHash: 'cd' }),
      idOf({}, { namespace: { path: 'a/', uuid: new Uint8Array(16).fill(1) } as never }),
      idOf({}, { operation: 'kv.patch' }),
      idOf({}, { requestId: new Uint8Array(17) }),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});
