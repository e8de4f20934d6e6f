import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode, StrongroomError } from '../../../src/lib/index.ts';
import {
  decodeTransaction,
  encodeTransaction,
  type Revision,
  type Transaction,
  transactionLimits,
  type Write,
} from '../../../src/store/index.ts';

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const key = bytes(1, 40);
const range = fc
  .tuple(bytes(0, 10), bytes(0, 10))
  .map(([a, b]) => (Buffer.compare(a, b) <= 0 ? { start: a, end: b } : { start: b, end: a }));
const revision = fc.maxSafeNat().map((value) => value as Revision);
const write: fc.Arbitrary<Write> = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), key, value: bytes(0, 200) }),
  fc.record({
    kind: fc.constant('put' as const),
    key,
    value: bytes(0, 20),
    expiresAtMs: fc.maxSafeNat(),
  }),
  fc.record({ kind: fc.constant('rewrap' as const), key, value: bytes(0, 20) }),
  fc.record({ kind: fc.constant('delete' as const), key }),
  range.map((r) => ({ kind: 'delete-range' as const, ...r })),
);
const transaction: fc.Arbitrary<Transaction> = fc.record(
  {
    reads: fc.array(fc.record({ key, revision }), { maxLength: 5 }),
    rangeReads: fc.array(
      fc.tuple(range, revision).map(([r, at]) => ({ ...r, revision: at })),
      { minLength: 1, maxLength: 3 },
    ),
    writes: fc.array(write, { maxLength: 8 }),
    requestId: bytes(16, 64),
    receipt: bytes(1, 50),
  },
  { requiredKeys: ['reads', 'writes'] },
);

/** Anything but a clean refusal is passed on. */
function decodeOrRefuse(encoded: Uint8Array): Transaction | 'refused' {
  try {
    return decodeTransaction(encoded);
  } catch (error) {
    if (hasCode(error, 'request.invalid')) return 'refused';
    throw error;
  }
}

describe('the transaction codec', () => {
  it('gives back every transaction as it was', () => {
    fc.assert(
      fc.property(transaction, (tx) => {
        expect(decodeTransaction(encodeTransaction(tx))).toEqual(tx);
      }),
    );
  });

  it('has one encoding for a transaction: whatever decodes, encodes to the same bytes', () => {
    fc.assert(
      fc.property(transaction, fc.nat(), fc.integer({ min: 0, max: 255 }), (tx, at, byte) => {
        const damaged = Uint8Array.from(encodeTransaction(tx));
        damaged[at % damaged.length] = byte;
        const decoded = decodeOrRefuse(damaged);
        const again = decoded === 'refused' ? damaged : encodeTransaction(decoded);
        expect(Buffer.from(again)).toEqual(Buffer.from(damaged));
      }),
    );
  });

  it('refuses anything that is cut short or has something after it', () => {
    fc.assert(
      fc.property(transaction, fc.nat(), (tx, cut) => {
        const whole = encodeTransaction(tx);
        expect(() => decodeTransaction(whole.subarray(0, cut % whole.length))).toThrow(
          StrongroomError,
        );
        expect(() => decodeTransaction(Buffer.concat([whole, Buffer.from([0])]))).toThrow(
          StrongroomError,
        );
      }),
    );
  });

  it('survives any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (junk) => {
        expect(() => decodeOrRefuse(junk)).not.toThrow();
      }),
    );
  });

  it('names the bound that a transaction is over', () => {
    const over = (tx: Partial<Transaction>) => () =>
      encodeTransaction({ reads: [], writes: [], ...tx });
    const longKey = new Uint8Array(transactionLimits.keyBytesMax + 1);
    const large = new Uint8Array(transactionLimits.encodedBytesMax);
    const tooLarge = expect.objectContaining({ code: 'store.transaction-too-large' }) as Error;
    const invalid = expect.objectContaining({ code: 'request.invalid' }) as Error;
    expect(over({ writes: [{ kind: 'delete', key: longKey }] })).toThrow(tooLarge);
    expect(over({ writes: [{ kind: 'put', key: Uint8Array.of(1), value: large }] })).toThrow(
      tooLarge,
    );
    expect(over({ writes: [{ kind: 'delete', key: new Uint8Array() }] })).toThrow(invalid);
    expect(over({ requestId: new Uint8Array(15) })).toThrow(invalid);
    expect(
      over({ writes: [{ kind: 'delete-range', start: Uint8Array.of(2), end: Uint8Array.of(1) }] }),
    ).toThrow(invalid);
  });
});
