import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../src/lib/index.ts';
import { KeyedDigest } from '../../../src/server/ports/keyed-digest.ts';

const message = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 200 }),
  // Longer than what is kept between messages.
  fc.integer({ min: 16_000, max: 70_000 }).map((length) => 'é'.repeat(length)),
);

describe('a keyed digest', () => {
  it('is HMAC-SHA256, whatever was hashed before', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.array(message, { minLength: 1, maxLength: 6 }),
        (key, messages) => {
          using digest = new KeyedDigest(key);
          for (const one of messages) {
            expect(digest.hex(one)).toBe(createHmac('sha256', key).update(one).digest('hex'));
          }
        },
      ),
    );
  });

  it('gives the second test case of RFC 4231', () => {
    using digest = new KeyedDigest(fromHex('4a656665'));
    expect(digest.hex('what do ya want for nothing?')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });

  it('refuses a key that is longer than a block', () => {
    expect(() => new KeyedDigest(new Uint8Array(65))).toThrow('longer than a block');
  });
});
