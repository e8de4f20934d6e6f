import { beforeAll, describe, expect, test } from 'vitest';
import { keyedHash, openDraft } from '../../src/barrier/draft.ts';
import { loadSodium } from '../../src/barrier/index.ts';
import { rawSodium } from '../../src/barrier/sodium.ts';
import { equalBytes, hex, lengthPrefixed, SeededRandom, utf8Bytes } from '../../src/lib/index.ts';
import { barrierOf, placeOf } from './fixture.ts';

beforeAll(loadSodium);

const random = new SeededRandom(1);
/** Whether the bytes lie anywhere in the cipher library's memory. */
const lingers = (bytes: Uint8Array) =>
  Buffer.from(rawSodium().HEAPU8.buffer).includes(Buffer.from(bytes));

describe('a draft', () => {
  test('writes parts as lengthPrefixed does, of text too', () => {
    const draft = openDraft();
    try {
      draft.part(utf8Bytes('label'));
      draft.textPart('naïve \u{1f600}');
      draft.part(new Uint8Array(0));
      const written = hex(draft.look(0, draft.length));
      const parts = [utf8Bytes('label'), utf8Bytes('naïve \u{1f600}'), new Uint8Array(0)];
      expect(written).toBe(hex(lengthPrefixed(...parts)));
    } finally {
      draft.wipe();
    }
  });

  test.each([0, 1, 300, 65_400, 65_537, 200_000, 3_000_000])(
    'takes a value of %i bytes, which is nowhere in its memory after',
    (length) => {
      using barrier = barrierOf(40);
      const value = random.bytes(length);
      const sealed = barrier.sealValue(placeOf('a'), value);
      expect(equalBytes(barrier.openValue(placeOf('a'), sealed), value)).toBe(true);
      expect(length > 16 && lingers(value.subarray(0, 1000))).toBe(false);
    },
  );

  test('is wiped, and the next one works, also when the memory grew in the midst of it', () => {
    const secret = random.bytes(300);
    const raw = rawSodium();
    const former = raw.HEAPU8;
    const draft = openDraft();
    draft.bytes(secret);
    const grown = raw._malloc(former.length);
    draft.wipe();
    raw._free(grown);
    expect(former).toHaveLength(0);
    expect(lingers(secret)).toBe(false);
    expect(keyedHash(32, random.bytes(32), secret)).toHaveLength(32);
  });

  test('leaves no key in its memory', () => {
    const key = random.bytes(32);
    keyedHash(32, key, utf8Bytes('message'));
    expect(lingers(key)).toBe(false);
  });

  test('is one at a time: a second would write over the first', () => {
    const draft = openDraft();
    try {
      expect(() => openDraft()).toThrow(/one message is drafted/i);
    } finally {
      draft.wipe();
    }
  });
});
