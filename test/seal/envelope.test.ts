import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SecretBytes, SeededRandom, StrongroomError, SystemRandom } from '../../src/lib/index.ts';
import {
  contextBytes,
  decodeEnvelope,
  type EnvelopeContext,
  encodeEnvelope,
  openEnvelope,
  rootIdOf,
  sealEnvelope,
} from '../../src/seal/envelope.ts';

const random = new SystemRandom();
const secret = () => SecretBytes.take(random.bytes(32));

function contextFor(root: SecretBytes, changes: Partial<EnvelopeContext> = {}): EnvelopeContext {
  return {
    clusterId: '00112233445566778899aabbccddeeff',
    slot: 'hsm-a',
    kind: 'pkcs11',
    mechanism: 'aes-gcm',
    kekLabel: 'strongroom/x/hsm-a/g1',
    kekFingerprint: new Uint8Array(32).fill(7),
    kekGeneration: 1,
    rootGeneration: 1,
    rootId: rootIdOf(root),
    parameters: new Uint8Array(0),
    ...changes,
  };
}

const VERSION_1 = [
  'U1JTRQEAAACcAAAAAQEAAAAQABEiM0RVZneImaq7zN3u/wAAAAVoc20tYQAAAAZwa2NzMTEAAAAHYWVzLWdjbQAA',
  'ABVzdHJvbmdyb29tL3gvaHNtLWEvZzEAAAAgBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcAAAAEAAAA',
  'AQAAAAQAAAABAAAAELEtkLChMROFhPaaxJ4utRoAAAAAAAAAAQkAAAAgoIyv2rzBK5Edkq/36fWgqQ/GmPeQgFid',
  'LPAB1wI6iZAAAAAga02ZLcrW6eDsYzLqZhNuYnb3GknMFazeFQ7XOaGZmaQAAAAwRgkqIbw7P/KAYhAdJSUbwyDU',
  'c07pgLpH9OYL/itHTpUTgWsUigwG6RRLwO5GFW1r',
];

function codeOf(task: () => unknown): string {
  try {
    task();
  } catch (error) {
    return error instanceof StrongroomError ? error.code : `not named: ${String(error)}`;
  }
  return 'nothing';
}

describe('a seal envelope', () => {
  it('opens under its secret, from its bytes, to the root that went in', () => {
    const root = secret();
    const key = secret();
    const sealed = sealEnvelope(contextFor(root), Uint8Array.of(1, 2), key, root, random);
    const decoded = decodeEnvelope(encodeEnvelope(sealed), 'hsm-a');
    expect(decoded).toEqual(sealed);
    expect(openEnvelope(decoded, key).equals(root)).toBe(true);
  });

  it('opens under no other secret, which its commitment tells before decrypting', () => {
    const root = secret();
    const sealed = sealEnvelope(contextFor(root), new Uint8Array(0), secret(), root, random);
    expect(codeOf(() => openEnvelope(sealed, secret()))).toBe('seal.envelope-corrupt');
  });

  const moves: readonly Partial<EnvelopeContext>[] = [
    { clusterId: 'ffeeddccbbaa99887766554433221100' },
    { slot: 'hsm-b' },
    { kind: 'dev' },
    { mechanism: 'rsa-oaep-sha256' },
    { kekLabel: 'strongroom/x/hsm-a/g2' },
    { kekFingerprint: new Uint8Array(32).fill(8) },
    { kekGeneration: 2 },
    { rootGeneration: 2 },
    { rootId: '00000000000000000000000000000000' },
    { parameters: Uint8Array.of(1) },
  ];
  for (const change of moves) {
    it(`does not open with another ${Object.keys(change).join()}`, () => {
      const root = secret();
      const key = secret();
      const sealed = sealEnvelope(contextFor(root), new Uint8Array(0), key, root, random);
      const moved = { ...sealed, context: { ...sealed.context, ...change } };
      expect(codeOf(() => openEnvelope(moved, key))).toBe('seal.envelope-corrupt');
    });
  }

  it('does not open when any bit of it was changed', () => {
    const root = secret();
    const key = secret();
    const wrapped = random.bytes(60);
    const bytes = encodeEnvelope(sealEnvelope(contextFor(root), wrapped, key, root, random));
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const changed = Uint8Array.from(bytes);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const outcome = codeOf(() => {
          const envelope = decodeEnvelope(changed, 'hsm-a');
          // The wrapped secret is the HSM's to check.
          const own = Buffer.compare(envelope.wrapped, wrapped) !== 0;
          if (own) throw new StrongroomError('seal.envelope-corrupt', 'wrapped');
          openEnvelope(envelope, key);
        });
        expect(outcome).toBe('seal.envelope-corrupt');
      }),
      { numRuns: 400 },
    );
  });

  it('refuses any other bytes by name', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(codeOf(() => decodeEnvelope(bytes, 'hsm-a'))).toBe('seal.envelope-corrupt');
      }),
    );
    const root = secret();
    const sealed = sealEnvelope(contextFor(root), new Uint8Array(0), secret(), root, random);
    const bytes = encodeEnvelope(sealed);
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      expect(codeOf(() => decodeEnvelope(cut, 'hsm-a'))).toBe('seal.envelope-corrupt');
    }
  });

  it('says different things for different contexts', () => {
    const root = secret();
    const text = fc.string({ maxLength: 12, unit: 'grapheme-ascii' });
    fc.assert(
      fc.property(text, text, text, text, (slotA, labelA, slotB, labelB) => {
        fc.pre(slotA !== slotB || labelA !== labelB);
        const a = contextBytes(contextFor(root, { slot: slotA, kekLabel: labelA }));
        const b = contextBytes(contextFor(root, { slot: slotB, kekLabel: labelB }));
        expect(Buffer.compare(a, b)).not.toBe(0);
      }),
    );
  });

  it('keeps its format: this one was made by version 1', () => {
    const seeded = new SeededRandom(7);
    const root = SecretBytes.take(seeded.bytes(32));
    const key = SecretBytes.take(seeded.bytes(32));
    const sealed = sealEnvelope(contextFor(root), Uint8Array.of(9), key, root, seeded);
    expect(Buffer.from(encodeEnvelope(sealed)).toString('base64')).toBe(VERSION_1.join(''));
  });
});
