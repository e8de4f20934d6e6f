import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openToken, pinFromFile, type Token, type TokenAddress } from '../../src/hsm/index.ts';
import { SystemRandom, utf8Bytes } from '../../src/lib/index.ts';
import { SoftHsm, softHsmInstalled, tokenOptions } from '../harness/softhsm.ts';

const random = new SystemRandom();
const context = utf8Bytes('cluster/slot/generation');

describe.skipIf(!softHsmInstalled)('a token, through its agent', () => {
  let hsm: SoftHsm;
  let address: TokenAddress;
  let token: Token;

  beforeAll(async () => {
    hsm = new SoftHsm();
    address = await hsm.makeToken('alpha');
    await hsm.makeToken('beta');
    token = await openToken(address, pinFromFile(hsm.pinFile()), tokenOptions());
  });
  afterAll(async () => {
    await token?.[Symbol.asyncDispose]();
    hsm?.[Symbol.dispose]();
  });

  it('says which token it is', () => {
    expect(token.info.label).toBe('alpha');
    expect(token.info.serial).toMatch(/^[0-9a-f]{16}$/);
    expect(token.info.manufacturer).toBe('SoftHSM project');
  });

  for (const mechanism of ['aes-gcm', 'rsa-oaep-sha1'] as const) {
    it(`opens what it wrapped with ${mechanism}, and nothing that was changed`, async () => {
      const kek = await token.generateKek(`kek ${mechanism}`, mechanism);
      const secret = random.bytes(32);
      const wrapped = await token.wrap(kek, secret, context);
      expect(wrapped).not.toEqual(secret);
      expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
      const changed = Uint8Array.from(wrapped);
      changed[changed.length - 1] = (changed[changed.length - 1] ?? 0) ^ 1;
      await expect(token.unwrap(kek, changed, context)).rejects.toMatchObject({
        code: 'hsm.data-refused',
      });
      // The failed operation has poisoned nothing.
      expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
    });
  }

  it('binds an AES-GCM wrap to its context', async () => {
    const kek = await token.generateKek('kek context', 'aes-gcm');
    const wrapped = await token.wrap(kek, random.bytes(32), context);
    await expect(token.unwrap(kek, wrapped, utf8Bytes('another'))).rejects.toMatchObject({
      code: 'hsm.data-refused',
    });
  });

  it('makes keys that pass every conformance probe', async () => {
    for (const mechanism of ['aes-gcm', 'rsa-oaep-sha1'] as const) {
      const kek = await token.generateKek(`kek probed ${mechanism}`, mechanism);
      const findings = await token.probeKek(kek);
      expect(findings.length).toBeGreaterThanOrEqual(5);
      expect(findings.filter((finding) => !finding.passed)).toEqual([]);
    }
  });

  it('never overwrites a key', async () => {
    await token.generateKek('kek once', 'aes-gcm');
    await expect(token.generateKek('kek once', 'aes-gcm')).rejects.toMatchObject({
      code: 'hsm.key-exists',
    });
  });

  it('finds a key by label and fingerprint, also from another process', async () => {
    const made = await token.generateKek('kek found', 'aes-gcm');
    await using second = await openToken(address, pinFromFile(hsm.pinFile()), tokenOptions());
    expect(await second.findKek('kek found', 'aes-gcm', made.fingerprint)).toEqual(made);
    expect(await second.findKek('kek unknown', 'aes-gcm')).toBeUndefined();
    await expect(second.findKek('kek found', 'aes-gcm', random.bytes(32))).rejects.toMatchObject({
      code: 'hsm.key-mismatch',
    });
  });

  it('proves a key, and says when it was destroyed', async () => {
    const kek = await token.generateKek('kek doomed', 'aes-gcm');
    await token.proveKek(kek);
    await token.destroyKek('kek doomed');
    await expect(token.proveKek(kek)).rejects.toMatchObject({ code: 'hsm.key-missing' });
  });

  it('sees through a twin that took the label', async () => {
    const kek = await token.generateKek('kek twin', 'aes-gcm');
    const wrapped = await token.wrap(kek, random.bytes(32), context);
    await token.destroyKek('kek twin');
    await token.generateKek('kek twin', 'aes-gcm');
    await expect(token.unwrap(kek, wrapped, context)).rejects.toMatchObject({
      code: 'hsm.key-mismatch',
    });
  });

  it('draws random bytes in any amount', async () => {
    expect(await token.randomBytes(10_000)).toHaveLength(10_000);
    await expect(token.randomBytes(1_000_000)).rejects.toMatchObject({ code: 'hsm.misuse' });
  });
});
