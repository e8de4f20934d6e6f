import pkcs11 from 'pkcs11js';
import { StrongroomError } from '../../lib/index.ts';
import { Cryptoki } from './cryptoki.ts';

const LABEL_BYTES = 32;

/** Initialises the first token that nobody has: label, security officer's PIN, user's PIN. */
export function initializeToken(path: string, label: string, soPin: string, pin: string): void {
  const cryptoki = Cryptoki.load(path);
  const slots = cryptoki.call('C_GetSlotList', (m) => m.C_GetSlotList(true));
  const free = slots.find((slot) => {
    const { flags } = cryptoki.call('C_GetTokenInfo', (m) => m.C_GetTokenInfo(slot));
    return (flags & pkcs11.CKF_TOKEN_INITIALIZED) === 0;
  });
  if (free === undefined) {
    throw new StrongroomError('hsm.token-missing', `Module ${path} shows no token to initialise`);
  }
  // Padded here: the binding reads 32 bytes whatever the length.
  cryptoki.call('C_InitToken', (m) => m.C_InitToken(free, soPin, label.padEnd(LABEL_BYTES, ' ')));
  // SoftHSM numbers the slot anew once its token has a serial.
  const slot = cryptoki
    .call('C_GetSlotList', (m) => m.C_GetSlotList(true))
    .find((candidate) => {
      const info = cryptoki.call('C_GetTokenInfo', (m) => m.C_GetTokenInfo(candidate));
      const fresh = (info.flags & pkcs11.CKF_USER_PIN_INITIALIZED) === 0;
      return fresh && info.label.trimEnd() === label;
    });
  if (slot === undefined) {
    throw new StrongroomError('hsm.token-missing', `The new token "${label}" does not show`);
  }
  cryptoki.withSession(slot, true, (session) => {
    cryptoki.call('C_Login', (m) => m.C_Login(session, pkcs11.CKU_SO, soPin));
    cryptoki.call('C_InitPIN', (m) => m.C_InitPIN(session, pin));
  });
}
