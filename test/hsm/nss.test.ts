import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openToken, pinFromFile, type Token } from '../../src/hsm/index.ts';
import { SystemRandom, utf8Bytes } from '../../src/lib/index.ts';
import { NssToken, nssInstalled } from '../harness/nss-token.ts';
import { nodeSeal } from '../harness/seal.ts';
import { MemorySealRecords } from '../harness/seal-records.ts';
import { SoftHsm, tokenOptions } from '../harness/softhsm.ts';

const context = utf8Bytes('context');
const random = new SystemRandom();

/** A second module, as unlike SoftHSM as two software tokens can be. */
describe.skipIf(!nssInstalled)('a token of NSS', () => {
  let nss: NssToken;
  let files: SoftHsm;
  let token: Token;

  beforeAll(async () => {
    nss = new NssToken();
    files = new SoftHsm();
    token = await openToken(nss.address, pinFromFile(files.pinFile()), tokenOptions());
  });
  afterAll(async () => {
    await token?.[Symbol.asyncDispose]();
    nss?.[Symbol.dispose]();
    files?.[Symbol.dispose]();
  });

  for (const mechanism of ['aes-gcm', 'rsa-oaep-sha1', 'rsa-oaep-sha256'] as const) {
    it(`wraps with ${mechanism}, and names damaged bytes`, async () => {
      const kek = await token.generateKek(`kek ${mechanism}`, mechanism);
      const secret = random.bytes(32);
      const wrapped = await token.wrap(kek, secret, context);
      expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
      wrapped[20] = (wrapped[20] ?? 0) ^ 1;
      await expect(token.unwrap(kek, wrapped, context)).rejects.toMatchObject({
        code: 'hsm.data-refused',
      });
      await token.proveKek(kek);
    });
  }

  it('draws more random bytes than it gives at once', async () => {
    expect(await token.randomBytes(65_536)).toHaveLength(65_536);
  });

  it('is found out by the conformance probe, and taken only when that is asked for', async () => {
    const findings = await token.probeKek(await token.generateKek('kek probed', 'aes-gcm'));
    const allowed = findings.filter((finding) => !finding.passed).map((finding) => finding.check);
    expect(allowed).toContain('copy it as extractable');
    expect(allowed).toContain('wrap it under another key');

    const slot = {
      kind: 'pkcs11',
      name: 'nss',
      token: nss.address,
      pin: pinFromFile(files.pinFile()),
      mechanism: 'aes-gcm',
    } as const;
    await using strict = nodeSeal(new MemorySealRecords(), [slot]);
    await expect(strict.initialize({ shares: 0, threshold: 0 })).rejects.toMatchObject({
      code: 'hsm.policy-violation',
      message: expect.stringContaining('copy it as extractable'),
    });
    expect(strict.state()).toBe('uninitialized');
    const records = new MemorySealRecords();
    await using lax = nodeSeal(records, [{ ...slot, allowLaxToken: true }]);
    await lax.initialize({ shares: 0, threshold: 0 });
    await using other = nodeSeal(records, [{ ...slot, allowLaxToken: true }]);
    expect(await other.unseal()).toMatchObject({ kind: 'unsealed' });
  });

  it('refuses a wrong PIN by the same name', async () => {
    const wrong = pinFromFile(files.pinFile('000000', 'wrong'));
    await expect(openToken(nss.address, wrong, tokenOptions())).rejects.toMatchObject({
      code: 'hsm.pin-rejected',
    });
  });
});
