import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, SecretBytes, SystemRandom } from '../../src/lib/index.ts';
import {
  checkShare,
  combineShares,
  decodeShare,
  decodeShareSet,
  encodeShare,
  encodeShareSet,
  splitSecret,
} from '../../src/seal/shares.ts';

const random = new SystemRandom();
const secret = () => SecretBytes.take(random.bytes(32));

describe('shares', () => {
  it('give the secret back from any subset of threshold size', async () => {
    const counts = fc
      .integer({ min: 2, max: 9 })
      .chain((total) => fc.tuple(fc.constant(total), fc.integer({ min: 2, max: total })));
    await fc.assert(
      fc.asyncProperty(counts, fc.infiniteStream(fc.nat()), async ([total, threshold], order) => {
        const whole = secret();
        const { set, shares } = await splitSecret(whole, total, threshold, random);
        expect(shares).toHaveLength(total);
        const keys = new Map(shares.map((share) => [share, order.next().value ?? 0]));
        const some = shares
          .toSorted((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0))
          .slice(0, threshold)
          .map(decodeShare);
        for (const share of some) checkShare(share, set);
        expect((await combineShares(some)).equals(whole)).toBe(true);
        // One share less gives something, but not the secret.
        const tooFew = await combineShares(some.slice(1));
        expect(tooFew.equals(whole)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it('of one of one are possible, and one of many is refused', async () => {
    const whole = secret();
    const { shares } = await splitSecret(whole, 1, 1, random);
    expect((await combineShares(shares.map(decodeShare))).equals(whole)).toBe(true);
    for (const [total, threshold] of [
      [5, 1],
      [0, 0],
      [3, 4],
      [256, 3],
      [2.5, 2],
    ] as const) {
      await expect(splitSecret(whole, total, threshold, random)).rejects.toMatchObject({
        code: 'seal.slot-unfit',
      });
    }
  });

  it('tell every wrong character', async () => {
    const { shares } = await splitSecret(secret(), 3, 2, random);
    const share = shares[0] ?? '';
    const body = share.lastIndexOf('-') + 1;
    const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
    for (let at = body; at < share.length; at++) {
      for (const character of alphabet) {
        if (character === share[at]) continue;
        const typo = share.slice(0, at) + character + share.slice(at + 1);
        expect(() => decodeShare(typo)).toThrow('no share');
      }
    }
    expect(() => decodeShare(share.replace('-1-', '-2-'))).toThrow('checksum');
  });

  it('may be typed in capitals, with blanks around and with O for 0', async () => {
    const { shares } = await splitSecret(secret(), 2, 2, random);
    for (const share of shares) {
      const at = share.lastIndexOf('-');
      const typed = `  ${share.slice(0, at)}${share.slice(at).replaceAll('0', 'O').replaceAll('1', 'L')}\n`;
      expect(decodeShare(typed.toUpperCase()).value.equals(decodeShare(share).value)).toBe(true);
    }
  });

  it('refuse whatever else is typed, without repeating it', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        let message = '';
        try {
          decodeShare(`srshare1-${text}`);
        } catch (error) {
          message = error instanceof Error ? error.message : '';
        }
        expect(message).toContain('no share');
        expect(text.length > 12 && message.includes(text)).toBe(false);
      }),
    );
  });

  it('at zero are refused, because there the polynomial is the secret', () => {
    const value = SecretBytes.take(concatBytes(random.bytes(32), Uint8Array.of(0)));
    const text = encodeShare({ setId: 'aabbccdd', index: 1, threshold: 2, total: 3, value });
    expect(() => decodeShare(text)).toThrow('zero');
  });

  it('are told apart from forgeries by their own number', async () => {
    const { set } = await splitSecret(secret(), 3, 2, random);
    const forged = { setId: set.id, index: 2, threshold: 2, total: 3 };
    const value = SecretBytes.take(concatBytes(random.bytes(32), Uint8Array.of(5)));
    const share = decodeShare(encodeShare({ ...forged, value }));
    expect(() => checkShare(share, set)).toThrow('Share 2 of set');
    expect(() => checkShare({ ...share, index: 4 }, set)).toThrow('Share 4 of set');
  });

  it('have a set that survives its encoding, and no other bytes pass for one', async () => {
    const { set } = await splitSecret(secret(), 4, 3, random);
    const bytes = encodeShareSet(set);
    expect(decodeShareSet(bytes)).toEqual(set);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeShareSet(bytes.subarray(0, length))).toThrow('Not a share set');
    }
  });

  it('say nothing alone: each byte of a share is spread evenly whatever the secret is', async () => {
    const zeros = SecretBytes.take(new Uint8Array(32));
    const counts = Array.from({ length: 256 }, () => 0);
    const rounds = 120;
    for (let round = 0; round < rounds; round++) {
      const { shares } = await splitSecret(zeros, 2, 2, random);
      const bytes = decodeShare(shares[0] ?? '').value.reveal();
      for (const byte of bytes.subarray(0, 32)) counts[byte] = (counts[byte] ?? 0) + 1;
    }
    const expected = (rounds * 32) / 256;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 255 degrees of freedom: above 400 by chance once in 10^8.
    expect(chiSquare).toBeLessThan(400);
  });
});
