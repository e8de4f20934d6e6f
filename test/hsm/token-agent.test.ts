import pkcs11 from 'pkcs11js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TokenAgent } from '../../src/hsm/agent/token-agent.ts';
import { utf8Bytes } from '../../src/lib/index.ts';
import { PIN, SoftHsm, softHsmInstalled } from '../harness/softhsm.ts';

const context = utf8Bytes('context');
const secret = new Uint8Array(32).fill(9);

/** In this process, to do to the agent's sessions what nobody else can. */
describe.skipIf(!softHsmInstalled)('an agent', () => {
  let hsm: SoftHsm;
  let agent: TokenAgent;
  let module: pkcs11.PKCS11;

  beforeAll(async () => {
    hsm = new SoftHsm();
    const address = await hsm.makeToken('alpha');
    process.env['SOFTHSM2_CONF'] = address.environment?.['SOFTHSM2_CONF'] ?? '';
    agent = new TokenAgent();
    agent.open(address);
    module = new pkcs11.PKCS11();
    module.load(address.module);
  });
  afterAll(() => {
    delete process.env['SOFTHSM2_CONF'];
    hsm[Symbol.dispose]();
  });

  it('says that the login was lost, and not that the key was destroyed', () => {
    agent.login(PIN);
    const kek = agent.generateKek('kek', 'aes-gcm');
    const wrapped = agent.wrap(kek, secret, context);
    expect(agent.unwrap(kek, wrapped, context)).toEqual(secret);
    for (const slot of module.C_GetSlotList(true)) module.C_CloseAllSessions(slot);
    for (const call of [
      () => agent.unwrap(kek, wrapped, context),
      () => agent.findKek('kek', 'aes-gcm'),
      () => agent.destroyKek('kek'),
      () => agent.generateKek('kek', 'aes-gcm'),
    ]) {
      expect(call).toThrow('login to token "alpha" was lost');
    }
  });

  it('refuses to wrap a secret that is longer than a key', () => {
    agent.login(PIN);
    const kek = agent.findKek('kek', 'aes-gcm');
    if (kek === undefined) throw new Error('The key is missing');
    expect(() => agent.wrap(kek, new Uint8Array(65), context)).toThrow('64 bytes');
  });

  it('refuses the initialisation vector that belongs to the fingerprint', () => {
    const kek = agent.findKek('kek', 'aes-gcm');
    if (kek === undefined) throw new Error('The key is missing');
    const wrapped = agent.wrap(kek, secret, context);
    wrapped.fill(0, 0, 12);
    expect(() => agent.unwrap(kek, wrapped, context)).toThrow('malformed');
  });
});
