import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type HsmLink,
  HsmServer,
  missingForHsmLink,
} from '../../chaos/grounds/processes/hsm-link.ts';
import { pinFromFile } from '../../src/hsm/index.ts';
import { SupervisedToken } from '../../src/hsm/supervised-token.ts';
import { SystemRandom, utf8Bytes } from '../../src/lib/index.ts';
import { SoftHsm, softHsmInstalled, tokenOptions } from '../harness/softhsm.ts';

const context = utf8Bytes('context');
const secret = new SystemRandom().bytes(32);

describe.skipIf(!softHsmInstalled || missingForHsmLink !== undefined)(
  'a token across a link',
  () => {
    let hsm: SoftHsm;
    let server: HsmServer;
    let link: HsmLink;
    let token: SupervisedToken;

    beforeEach(async () => {
      hsm = new SoftHsm();
      server = await HsmServer.start(await hsm.makeToken('alpha'), hsm.directory);
      link = await server.link('front');
      const deadlines = { openMs: 5_000, loginMs: 2_000, callMs: 500 };
      const pin = pinFromFile(hsm.pinFile());
      token = new SupervisedToken(link.address, pin, tokenOptions({ deadlines }));
      await token.open();
    });
    afterEach(async () => {
      await token[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      hsm[Symbol.dispose]();
    });

    it('works as one at hand does', async () => {
      const kek = await token.generateKek('kek', 'rsa-oaep-sha1');
      const wrapped = await token.wrap(kek, secret, context);
      expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
    });

    it('that was cut is unavailable, can still be wrapped for, and heals with a new agent', async () => {
      const kek = await token.generateKek('kek', 'rsa-oaep-sha1');
      link.cut();
      // The public key is enough to wrap.
      const wrapped = await token.wrap(kek, secret, context);
      await expect(token.unwrap(kek, wrapped, context)).rejects.toMatchObject({
        code: expect.stringMatching(/^hsm\.(unavailable|token-missing)$/),
      });
      link.mend();
      expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
    });

    it('that was cut and mended between two calls is not noticed', async () => {
      const kek = await token.generateKek('kek', 'rsa-oaep-sha1');
      const wrapped = await token.wrap(kek, secret, context);
      link.cut();
      link.mend();
      expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
    });

    it('that stalls ends a call at its deadline, and everything that waits behind it', async () => {
      const kek = await token.generateKek('kek', 'rsa-oaep-sha1');
      const wrapped = await token.wrap(kek, secret, context);
      link.stall();
      const began = performance.now();
      const outcomes = await Promise.allSettled(
        Array.from({ length: 5 }, () => token.unwrap(kek, wrapped, context)),
      );
      expect(performance.now() - began).toBeLessThan(2_500);
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'hsm.timeout' } });
      }
      link.mend();
      expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
    });
  },
);
