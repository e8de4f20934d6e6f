import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeSecret,
  encodeSecret,
  type SecretRecord,
} from '../../../src/engines/kv/secret-record.ts';
import { fromHex, hex } from '../../../src/lib/index.ts';
import { codeOf } from '../../barrier/fixture.ts';

const time = fc.maxSafeNat();
const number = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const record: fc.Arbitrary<SecretRecord> = fc.record({
  createdAtMs: time,
  updatedAtMs: time,
  currentVersion: number,
  versions: fc.array(
    fc.record({ version: number, createdAtMs: time, deletedAtMs: time, destroyed: fc.boolean() }),
    { maxLength: 12 },
  ),
  maxVersions: number,
  casRequired: fc.boolean(),
  deleteVersionAfterMs: time,
  customMetadata: fc
    .array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.string()), { maxLength: 8 })
    .map((entries) => Object.fromEntries([['__proto__', 'own'], ...entries])),
  change: fc.constantFrom('put', 'delete', 'undelete', 'destroy', 'metadata'),
  changedVersions: fc.array(number, { maxLength: 12 }),
});

describe('what is kept of a secret', () => {
  test('is read as it was written, wherever in memory it lies', () => {
    fc.assert(
      fc.property(record, (written) => {
        const bytes = encodeSecret(written);
        const shifted = new Uint8Array([9, 9, 9, ...bytes, 9]).subarray(3, 3 + bytes.length);
        expect(decodeSecret(shifted)).toEqual(written);
        expect(Object.entries(decodeSecret(bytes).customMetadata)).toEqual(
          Object.entries(written.customMetadata),
        );
      }),
    );
  });

  test('keeps its format: bytes of once are read, and written again as they were', () => {
    const once = [
      '010101',
      '000000010000000200000002',
      '0000000700000005',
      '42794a2e9830000042794a2e983070004194997000000000',
      '0000000742794a2e9830000042794a2e9830400001',
      '0000000700000003',
      '00036b65790004c3bc6265',
    ].join('');
    const told = decodeSecret(fromHex(once));
    expect(told.versions).toEqual([
      {
        version: 7,
        createdAtMs: 1_737_900_000_000,
        deletedAtMs: 1_737_900_000_004,
        destroyed: true,
      },
    ]);
    expect(told).toMatchObject({
      maxVersions: 5,
      change: 'delete',
      casRequired: true,
      currentVersion: 7,
    });
    expect(told).toMatchObject({
      updatedAtMs: 1_737_900_000_007,
      deleteVersionAfterMs: 86_400_000,
    });
    expect(told.changedVersions).toEqual([7, 3]);
    expect(told.customMetadata).toEqual({ key: 'übe' });
    expect(hex(encodeSecret(told))).toBe(once);
  });

  test('of a later version of the program is refused', () => {
    const bytes = encodeSecret(decodeSecret(encodeSecret(empty)));
    for (const [at, value] of [
      [0, 2],
      [1, 5],
    ] as const) {
      const later = Uint8Array.from(bytes);
      later[at] = value;
      expect(codeOf(() => decodeSecret(later))).toBe('barrier.tampered');
    }
  });
});

const empty: SecretRecord = {
  createdAtMs: 1,
  updatedAtMs: 1,
  currentVersion: 0,
  versions: [],
  maxVersions: 0,
  casRequired: false,
  deleteVersionAfterMs: 0,
  customMetadata: {},
  change: 'metadata',
  changedVersions: [],
};
