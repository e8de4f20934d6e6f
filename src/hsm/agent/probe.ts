import pkcs11 from 'pkcs11js';
import type { ProbeFinding, WrapMechanism } from '../token.ts';
import { type Cryptoki, CryptokiError, type Handle, type Mechanism } from './cryptoki.ts';
import { GCM_IV_BYTES, gcm } from './kek.ts';
import { returnValue } from './return-values.ts';

/**
 * Attributes are claims: tries on the key what a sound token refuses. NSS outside of FIPS mode, for
 * one, wraps and copies a key that it calls non-extractable.
 */
export function probeKey(
  cryptoki: Cryptoki,
  slot: Handle,
  key: Handle,
  mechanism: WrapMechanism,
): readonly ProbeFinding[] {
  const aes = mechanism === 'aes-gcm';
  const valueAttribute = aes ? pkcs11.CKA_VALUE : pkcs11.CKA_PRIVATE_EXPONENT;
  const refused = (check: string, attempt: (session: Handle) => void): ProbeFinding =>
    attemptRefused(cryptoki, slot, check, attempt);
  const findings = [
    refused('read the key value', (session) => {
      cryptoki.attribute(session, key, valueAttribute);
    }),
    refused('make it extractable', (session) =>
      set(cryptoki, session, key, pkcs11.CKA_EXTRACTABLE, true),
    ),
    refused('make it not sensitive', (session) =>
      set(cryptoki, session, key, pkcs11.CKA_SENSITIVE, false),
    ),
    refused('copy it as extractable', (session) => {
      cryptoki.call('C_CopyObject', (m) =>
        m.C_CopyObject(session, key, [
          { type: pkcs11.CKA_EXTRACTABLE, value: true },
          { type: pkcs11.CKA_TOKEN, value: false },
        ]),
      );
    }),
    refused('wrap it under another key', (session) => wrapUnderSessionKey(cryptoki, session, key)),
  ];
  if (aes) {
    findings.push(
      refused('encrypt in ECB mode', (session) => {
        const ecb: Mechanism = { mechanism: pkcs11.CKM_AES_ECB };
        cryptoki.encrypt(session, ecb, key, new Uint8Array(16));
      }),
      refused('decrypt with another AAD', (session) => wrongAad(cryptoki, session, key)),
    );
  }
  return findings;
}

function attemptRefused(
  cryptoki: Cryptoki,
  slot: Handle,
  check: string,
  attempt: (session: Handle) => void,
): ProbeFinding {
  try {
    cryptoki.withSession(slot, true, attempt);
    return { check, answer: 'allowed', passed: false };
  } catch (error) {
    if (!(error instanceof CryptokiError)) throw error;
    return { check, answer: returnValue(error.code).name, passed: true };
  }
}

function set(cryptoki: Cryptoki, session: Handle, key: Handle, type: number, value: boolean): void {
  cryptoki.call('C_SetAttributeValue', (m) =>
    m.C_SetAttributeValue(session, key, [{ type, value }]),
  );
}

/** A throw-away session key that may wrap: the classic way to pull a key out of a lax token. */
function wrapUnderSessionKey(cryptoki: Cryptoki, session: Handle, key: Handle): void {
  const wrapper = cryptoki.call('C_GenerateKey', (m) =>
    m.C_GenerateKey(session, { mechanism: pkcs11.CKM_AES_KEY_GEN }, [
      { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_SECRET_KEY },
      { type: pkcs11.CKA_KEY_TYPE, value: pkcs11.CKK_AES },
      { type: pkcs11.CKA_VALUE_LEN, value: 32 },
      { type: pkcs11.CKA_TOKEN, value: false },
      { type: pkcs11.CKA_WRAP, value: true },
      { type: pkcs11.CKA_ENCRYPT, value: true },
    ]),
  );
  const room = Buffer.alloc(4096);
  try {
    cryptoki.call('C_WrapKey', (m) =>
      m.C_WrapKey(session, { mechanism: pkcs11.CKM_AES_KEY_WRAP }, wrapper, key, room),
    );
  } finally {
    room.fill(0);
  }
}

function wrongAad(cryptoki: Cryptoki, session: Handle, key: Handle): void {
  // A vector of its own, never the fingerprint's: nothing else is sealed under it.
  const iv = new Uint8Array(GCM_IV_BYTES).fill(0xff);
  const right = gcm(iv, Uint8Array.of(1));
  const ciphertext = cryptoki.encrypt(session, right, key, new Uint8Array(16));
  cryptoki.decrypt(session, gcm(iv, Uint8Array.of(2)), key, ciphertext);
}
