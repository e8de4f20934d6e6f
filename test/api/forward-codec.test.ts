import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeForwarded,
  decodeForwardedAnswer,
  encodeForwarded,
  encodeForwardedAnswer,
  encodeForwardedError,
  type ForwardedVaultRequest,
} from '../../src/api/index.ts';
import { type ErrorCode, errorTable, StrongroomError } from '../../src/lib/index.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const whole = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const consistency = fc.option(
  fc.oneof(
    fc.constantFrom({ kind: 'linearizable' } as const, { kind: 'eventual' } as const),
    whole.map((revision) => ({ kind: 'at-least', revision }) as const),
    whole.map((stalenessMs) => ({ kind: 'bounded', stalenessMs }) as const),
  ),
  { nil: undefined },
);
const request: fc.Arbitrary<ForwardedVaultRequest> = fc.record({
  operation: fc.constant('kv.put'),
  namespace: text,
  token: fc.option(text, { nil: undefined }),
  payload: fc.record(
    {
      mount: text,
      path: text,
      data: fc.uint8Array({ maxLength: 60 }),
      cas: fc.nat({ max: 2 ** 32 - 1 }),
    },
    { requiredKeys: ['mount', 'path', 'data'] },
  ),
  requestId: fc.option(fc.uint8Array({ minLength: 16, maxLength: 64 }), { nil: undefined }),
  consistency,
  correlationId: text,
  remoteAddress: text,
});

/** Buffers and plain byte arrays alike, without fields that are undefined. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, plain(item)]),
  );
}

test('a forwarded request is the same request at the other end', () => {
  fc.assert(
    fc.property(request, (one) => {
      expect(plain(decodeForwarded(encodeForwarded(one)))).toEqual(plain(one));
    }),
  );
});

test('a forwarded answer is the same answer, also an empty one', () => {
  const payload = { revision: 2 ** 50, data: Uint8Array.of(1), customMetadata: { a: 'b' } };
  const bytes = encodeForwardedAnswer('kv.get', { payload });
  expect(plain(decodeForwardedAnswer('kv.get', bytes).payload)).toEqual(plain(payload));
  const empty = encodeForwardedAnswer('kv.delete', { payload: {} });
  expect(decodeForwardedAnswer('kv.delete', empty).payload).toEqual({ revision: 0 });
});

test('every failure comes back with its code, message and details', () => {
  const codes = fc.constantFrom(...(Object.keys(errorTable) as ErrorCode[]));
  const details = fc.dictionary(
    fc.string({ minLength: 1, maxLength: 8 }).filter((key) => key !== '__proto__'),
    fc.oneof(
      text,
      fc.boolean(),
      fc.double({ noNaN: true }).filter((one) => !Object.is(one, -0)),
    ),
    { maxKeys: 4, noNullPrototype: true },
  );
  fc.assert(
    fc.property(codes, text, details, (code, message, facts) => {
      const bytes = encodeForwardedError(new StrongroomError(code, message, { details: facts }));
      const failure = caught(() => decodeForwardedAnswer('kv.get', bytes));
      expect(failure).toBeInstanceOf(StrongroomError);
      expect(failure).toMatchObject({ code, message });
      expect((failure as StrongroomError).details).toEqual(facts);
    }),
  );
});

test('bytes from elsewhere are refused by name, whatever they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      for (const read of [
        () => decodeForwarded(bytes),
        () => decodeForwardedAnswer('kv.get', bytes),
      ]) {
        const failure = caught(read);
        expect(failure === undefined || failure instanceof StrongroomError).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});

function caught(run: () => unknown): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}
