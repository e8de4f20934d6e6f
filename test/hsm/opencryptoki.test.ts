import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openToken, pinFromFile } from '../../src/hsm/index.ts';
import { SystemRandom, utf8Bytes } from '../../src/lib/index.ts';
import { OpenCryptokiToken, openCryptokiUsable } from '../harness/opencryptoki-token.ts';
import { PIN, pkcs11ToolInstalled, SoftHsm, tokenOptions } from '../harness/softhsm.ts';

const context = utf8Bytes('context');
const random = new SystemRandom();

describe.skipIf(!openCryptokiUsable)('a token that locks', () => {
  let ock: OpenCryptokiToken;
  let files: SoftHsm;

  beforeAll(() => {
    files = new SoftHsm();
    ock = new OpenCryptokiToken();
    ock.initialize();
  });
  afterAll(async () => {
    await ock?.[Symbol.asyncDispose]();
    files?.[Symbol.dispose]();
  });

  const withPin = (pin: string) =>
    openToken(ock.address, pinFromFile(files.pinFile(pin)), tokenOptions());

  for (const mechanism of ['rsa-oaep-sha1', 'rsa-oaep-sha256'] as const) {
    it(`wraps with ${mechanism}`, async () => {
      await using token = await openToken(
        ock.address,
        pinFromFile(files.pinFile()),
        tokenOptions(),
      );
      const kek = await token.generateKek(`kek ${mechanism}`, mechanism);
      const secret = random.bytes(32);
      const wrapped = await token.wrap(kek, secret, context);
      expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
      await token.proveKek(kek);
      wrapped[20] = (wrapped[20] ?? 0) ^ 1;
      await expect(token.unwrap(kek, wrapped, context)).rejects.toMatchObject({
        code: 'hsm.data-refused',
      });
    });
  }

  it('says that AES-GCM is not for it', async () => {
    await using token = await openToken(ock.address, pinFromFile(files.pinFile()), tokenOptions());
    await expect(token.generateKek('kek gcm', 'aes-gcm')).rejects.toMatchObject({
      code: 'hsm.policy-violation',
    });
  });

  it('is never given its last try, so that no roll-out of wrong PINs locks it', async () => {
    await expect(withPin('0000')).rejects.toMatchObject({ code: 'hsm.pin-rejected' });
    await expect(withPin('0001')).rejects.toMatchObject({ code: 'hsm.pin-rejected' });
    // Each of these is a process without a memory: only the token's own counter stops it.
    for (const pin of ['0002', '0003', PIN]) {
      await expect(withPin(pin)).rejects.toMatchObject({ code: 'hsm.pin-final-try' });
    }
  });

  it.skipIf(!pkcs11ToolInstalled)(
    'that somebody else has locked is named, and left alone',
    async () => {
      const args = ['--module', ock.address.module, '--token-label', ock.address.label, '--login'];
      for (let tries = 0; tries < 3; tries++) {
        spawnSync('pkcs11-tool', [...args, '--pin', '0009', '--list-objects'], { stdio: 'ignore' });
      }
      await expect(withPin(PIN)).rejects.toMatchObject({ code: 'hsm.pin-locked' });
    },
  );
});
