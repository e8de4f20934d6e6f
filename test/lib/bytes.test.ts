import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareBytes, fromHex, hex, lengthPrefixed, SecretBytes } from '../../src/lib/index.ts';

describe('bytes', () => {
  test('hex and back is the same', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => compareBytes(fromHex(hex(bytes)), bytes) === 0),
    );
  });

  test('different lists of parts never join to the same bytes', () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 4 }), { maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const same =
          a.length === b.length &&
          a.every((part, i) => hex(part) === hex(b[i] ?? new Uint8Array([0])));
        const joinedSame = hex(lengthPrefixed(...a)) === hex(lengthPrefixed(...b));
        return same === joinedSame;
      }),
    );
  });
});

describe('SecretBytes', () => {
  test('prints as [secret] wherever it is shown', () => {
    using secret = SecretBytes.copy(new Uint8Array([65, 66, 67]));
    expect(`${String(secret)} ${JSON.stringify({ secret })} ${inspect({ secret })}`).not.toMatch(
      /65|ABC/,
    );
  });

  test('is overwritten when its scope ends', () => {
    const bytes = new Uint8Array([1, 2, 3]);
    {
      using secret = SecretBytes.take(bytes);
      expect(secret.reveal()[0]).toBe(1);
    }
    expect([...bytes]).toEqual([0, 0, 0]);
  });
});
