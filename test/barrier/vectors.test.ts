import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { keyedHash } from '../../src/barrier/draft.ts';
import {
  createBarrier,
  loadSodium,
  openKeyring,
  type Place,
  sealKeyring,
} from '../../src/barrier/index.ts';
import { fromHex, hex, SecretBytes, SeededRandom, utf8Bytes } from '../../src/lib/index.ts';
import { keyringOf } from './fixture.ts';

/**
 * Bytes that were written once and must open for ever. When one of these fails, the format has
 * changed: give it a new format number and keep opening the old one, do not write new vectors.
 */
const vectors = z
  .object({
    root: z.string(),
    context: z.string(),
    keyringSeed: z.number(),
    keyring: z.string(),
    secrets: z.array(z.object({ label: z.string(), secret: z.string() })),
    places: z.array(
      z.object({
        namespace: z.string(),
        mount: z.string(),
        kind: z.number(),
        path: z.array(z.string()),
        key: z.string(),
        plaintext: z.string(),
        sealed: z.string(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8')));

beforeAll(loadSodium);

describe('stored formats', () => {
  test('the keyring of the vectors opens, and sealing it again gives the same bytes', () => {
    using root = SecretBytes.take(fromHex(vectors.root));
    const context = utf8Bytes(vectors.context);
    using opened = openKeyring(root, fromHex(vectors.keyring), context);
    using made = keyringOf(vectors.keyringSeed);
    expect(opened.reveal()).toEqual(made.reveal());
    const again = sealKeyring(root, made, context, new SeededRandom(5));
    expect(hex(again)).toBe(vectors.keyring);
  });

  test('places, values and derived secrets of the vectors open, and seal to the same bytes', () => {
    using keyring = keyringOf(vectors.keyringSeed);
    using barrier = createBarrier({ keyring, random: new SeededRandom(6) });
    for (const vector of vectors.places) {
      const place: Place = {
        namespace: fromHex(vector.namespace),
        mount: fromHex(vector.mount),
        kind: vector.kind,
        path: vector.path,
      };
      expect(hex(barrier.sealPlace(place))).toBe(vector.key);
      expect(barrier.openPlace(fromHex(vector.key))).toEqual(place);
      expect(hex(barrier.openValue(place, fromHex(vector.sealed)))).toBe(vector.plaintext);
      expect(hex(barrier.sealValue(place, fromHex(vector.plaintext)))).toBe(vector.sealed);
    }
    for (const { label, secret } of vectors.secrets) {
      using derived = barrier.deriveSecret(label);
      expect(hex(derived.reveal())).toBe(secret);
    }
    expect(vectors.places.length).toBeGreaterThan(3);
  });

  test('the hash under all of it is keyed BLAKE2b as the reference has it', () => {
    // BLAKE2 reference, blake2b-kat: key 00 to 3f, input 00.
    const key = Uint8Array.from({ length: 64 }, (_, i) => i);
    expect(hex(keyedHash(64, key, Uint8Array.of(0)))).toBe(
      '961f6dd1e4dd30f63901690c512e78e4b45e4742ed197c3c5e45c549fd25f2e4187b0bc9fe30492b16b0d0bc4ef9b0f34c7003fac09a5ef1532e69430234cebd',
    );
  });
});
