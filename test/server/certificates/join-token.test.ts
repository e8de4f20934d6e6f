import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRandom, StrongroomError } from '../../../src/lib/index.ts';
import {
  checkJoinToken,
  createJoinToken,
  parseJoinToken,
} from '../../../src/server/certificates/index.ts';

const caFingerprint = 'ab'.repeat(32);
const nowMs = 1_800_000_000_000;
const make = (seed = 1, more: { name?: string; ttlMs?: number } = {}) =>
  createJoinToken({
    caFingerprint,
    kind: 'voter',
    region: 'eu-west',
    ttlMs: 60_000,
    nowMs,
    random: new SeededRandom(seed),
    ...more,
  });
const asker = { keyFingerprint: 'k1', name: 'node-2' };

describe('a join token', () => {
  it('brings its id, the CA to trust and its end through its text', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1000, max: 1e9 }), (seed, ttlMs) => {
        const { text, record } = make(seed, { ttlMs });
        expect(parseJoinToken(`${text}\n`)).toMatchObject({
          id: record.id,
          caFingerprint,
          expiresAtMs: nowMs + ttlMs,
        });
      }),
    );
  });

  it('is not kept: the record has neither its text nor its secret', () => {
    const { text, record } = make();
    const kept = JSON.stringify(record);
    expect(kept).not.toContain(text);
    expect(kept).not.toContain(Buffer.from(parseJoinToken(text).secret).toString('hex'));
  });

  it('opens once; the same asker may ask again, another may not', () => {
    const { text, record } = make();
    const token = parseJoinToken(text);
    expect(checkJoinToken(record, token, asker, nowMs)).toBe('fresh');
    const used = { ...record, usedBy: asker.keyFingerprint };
    expect(checkJoinToken(used, token, asker, nowMs + 1e9)).toBe('again');
    expect(() => checkJoinToken(used, token, { ...asker, keyFingerprint: 'k2' }, nowMs)).toThrow(
      /used/,
    );
  });

  it('expires by the record that was kept, whatever the token says', () => {
    const { text, record } = make();
    const token = { ...parseJoinToken(text), expiresAtMs: nowMs * 2 };
    expect(checkJoinToken(record, token, asker, nowMs + 59_999)).toBe('fresh');
    expect(() => checkJoinToken(record, token, asker, nowMs + 60_000)).toThrow(/expired/);
  });

  it('of another cluster or with another secret is refused, without saying which', () => {
    const { text, record } = make(1);
    const other = parseJoinToken(make(2).text);
    const attempt = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        return error instanceof StrongroomError ? error.message : 'another error';
      }
      return 'accepted';
    };
    const wrongSecret = attempt(() =>
      checkJoinToken(record, { ...parseJoinToken(text), secret: other.secret }, asker, nowMs),
    );
    expect(wrongSecret).toBe(attempt(() => checkJoinToken(undefined, other, asker, nowMs)));
    expect(wrongSecret).toMatch(/Cannot join/);
  });

  it('made for a name opens for that name only', () => {
    const { text, record } = make(1, { name: 'node-3' });
    const token = parseJoinToken(text);
    expect(() => checkJoinToken(record, token, asker, nowMs)).toThrow(/node-3/);
    expect(checkJoinToken(record, token, { ...asker, name: 'node-3' }, nowMs)).toBe('fresh');
  });

  it('with any character changed is refused before it is sent, and not repeated in the error', () => {
    const { text } = make();
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: text.length - 1 }),
        fc.constantFrom('A', 'z', '-', '!', ''),
        (at, char) => {
          fc.pre(text[at] !== char);
          const tampered = text.slice(0, at) + char + text.slice(at + 1);
          expect(() => parseJoinToken(tampered)).toThrow(StrongroomError);
          expect(() => parseJoinToken(tampered)).not.toThrow(tampered);
        },
      ),
    );
  });

  it('lives from a second to thirty days', () => {
    for (const ttlMs of [0, -1, 999, 31 * 24 * 3600 * 1000, Number.NaN]) {
      expect(() => make(1, { ttlMs })).toThrow(/join token/);
    }
  });
});
