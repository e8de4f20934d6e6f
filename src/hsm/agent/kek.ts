import { createHash, createPublicKey, randomBytes } from 'node:crypto';
import pkcs11 from 'pkcs11js';
import { equalBytes, hex, StrongroomError, unreachable, utf8Bytes } from '../../lib/index.ts';
import type { KekInfo, WrapMechanism } from '../token.ts';
import type { Attribute, Cryptoki, Handle, Mechanism } from './cryptoki.ts';
import { CryptokiError } from './cryptoki.ts';
import { CKR } from './return-values.ts';
import { wrapWithPublicKey } from './wrap-public.ts';

const AES_KEY_BYTES = 32;
const RSA_MODULUS_BITS = 3072;
export const GCM_IV_BYTES = 12;
const GCM_TAG_BITS = 128;
const CKR_ATTRIBUTE_TYPE_INVALID = 0x12;

/** The initialisation vector of the fingerprint, for which nothing else is ever encrypted. */
const FINGERPRINT_IV = new Uint8Array(GCM_IV_BYTES);
const FINGERPRINT_AAD = utf8Bytes('strongroom/kek-fp/v1');
const FINGERPRINT_PLAINTEXT = new Uint8Array(32);

const ulong = (value: number): Buffer => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
};

/**
 * Attributes of later versions of PKCS#11 that some modules do not know: `COPYABLE` (2.40) and
 * `ALLOWED_MECHANISMS` (2.20). From the most to the least that is asked for.
 */
const PINNINGS = ['mechanism-and-copying', 'mechanism', 'none'] as const;
type Pinning = (typeof PINNINGS)[number];

/** Every attribute is spelled out: modules' defaults permit everything. */
function keyTemplate(label: string, mechanism: number, pinning: Pinning): Attribute[] {
  const template: Attribute[] = [
    { type: pkcs11.CKA_TOKEN, value: true },
    { type: pkcs11.CKA_PRIVATE, value: true },
    { type: pkcs11.CKA_SENSITIVE, value: true },
    { type: pkcs11.CKA_EXTRACTABLE, value: false },
    { type: pkcs11.CKA_MODIFIABLE, value: false },
    // Decryption only: with UNWRAP beside DECRYPT any key could be read out through the token.
    { type: pkcs11.CKA_DECRYPT, value: true },
    { type: pkcs11.CKA_UNWRAP, value: false },
    { type: pkcs11.CKA_SIGN, value: false },
    { type: pkcs11.CKA_DERIVE, value: false },
    { type: pkcs11.CKA_LABEL, value: label },
  ];
  if (pinning !== 'none') {
    template.push({ type: pkcs11.CKA_ALLOWED_MECHANISMS, value: ulong(mechanism) });
  }
  if (pinning === 'mechanism-and-copying') {
    template.push({ type: pkcs11.CKA_COPYABLE, value: false });
  }
  return template;
}

/**
 * openCryptoki calls an attribute that it does not know an invalid type, NSS says general error.
 * Whatever is left out then, the conformance probe tells what the key allows.
 */
function withMostPinning(generate: (pinning: Pinning) => void): void {
  for (const pinning of PINNINGS) {
    try {
      return generate(pinning);
    } catch (error) {
      const unknownAttribute =
        error instanceof CryptokiError &&
        (error.code === CKR_ATTRIBUTE_TYPE_INVALID || error.code === CKR.GENERAL_ERROR);
      if (!unknownAttribute || pinning === 'none') throw error;
    }
  }
}

export function generateKey(
  cryptoki: Cryptoki,
  session: Handle,
  label: string,
  mechanism: WrapMechanism,
): void {
  withMostPinning((pinning) => {
    if (mechanism === 'aes-gcm') generateAes(cryptoki, session, label, pinning);
    else generateRsa(cryptoki, session, label, pinning);
  });
}

function generateAes(cryptoki: Cryptoki, session: Handle, label: string, pinning: Pinning): void {
  const template = [
    ...keyTemplate(label, pkcs11.CKM_AES_GCM, pinning),
    { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_SECRET_KEY },
    { type: pkcs11.CKA_KEY_TYPE, value: pkcs11.CKK_AES },
    { type: pkcs11.CKA_VALUE_LEN, value: AES_KEY_BYTES },
    { type: pkcs11.CKA_ENCRYPT, value: true },
    { type: pkcs11.CKA_WRAP, value: false },
    { type: pkcs11.CKA_VERIFY, value: false },
  ];
  cryptoki.call('C_GenerateKey', (m) =>
    m.C_GenerateKey(session, { mechanism: pkcs11.CKM_AES_KEY_GEN }, template),
  );
}

function generateRsa(cryptoki: Cryptoki, session: Handle, label: string, pinning: Pinning): void {
  const publicTemplate: Attribute[] = [
    { type: pkcs11.CKA_TOKEN, value: true },
    { type: pkcs11.CKA_PRIVATE, value: false },
    { type: pkcs11.CKA_MODIFIABLE, value: false },
    { type: pkcs11.CKA_ENCRYPT, value: true },
    { type: pkcs11.CKA_WRAP, value: false },
    { type: pkcs11.CKA_VERIFY, value: false },
    { type: pkcs11.CKA_MODULUS_BITS, value: RSA_MODULUS_BITS },
    { type: pkcs11.CKA_PUBLIC_EXPONENT, value: Buffer.from([1, 0, 1]) },
    { type: pkcs11.CKA_LABEL, value: label },
  ];
  const privateTemplate = keyTemplate(label, pkcs11.CKM_RSA_PKCS_OAEP, pinning);
  cryptoki.call('C_GenerateKeyPair', (m) =>
    m.C_GenerateKeyPair(
      session,
      { mechanism: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN },
      publicTemplate,
      privateTemplate,
    ),
  );
}

export function gcm(iv: Uint8Array, aad: Uint8Array): Mechanism {
  return {
    mechanism: pkcs11.CKM_AES_GCM,
    parameter: {
      // The current struct: the old one is refused by NSS, this one taken by all.
      type: pkcs11.CK_PARAMS_AES_GCM_v240,
      iv: Buffer.from(iv),
      aad: Buffer.from(aad),
      ivBits: GCM_IV_BYTES * 8,
      tagBits: GCM_TAG_BITS,
    } as pkcs11.AesGCM,
  };
}

export function oaep(mechanism: 'rsa-oaep-sha1' | 'rsa-oaep-sha256'): Mechanism {
  const sha1 = mechanism === 'rsa-oaep-sha1';
  return {
    mechanism: pkcs11.CKM_RSA_PKCS_OAEP,
    parameter: {
      type: pkcs11.CK_PARAMS_RSA_OAEP,
      hashAlg: sha1 ? pkcs11.CKM_SHA_1 : pkcs11.CKM_SHA256,
      mgf: sha1 ? pkcs11.CKG_MGF1_SHA1 : pkcs11.CKG_MGF1_SHA256,
      source: 1,
    } as pkcs11.RsaOAEP,
  };
}

/** Handles of the keys with this label that decrypt: the secret key, or the private half. */
export function decryptingKeys(
  cryptoki: Cryptoki,
  session: Handle,
  label: string,
  mechanism: WrapMechanism,
): readonly Handle[] {
  const objectClass = mechanism === 'aes-gcm' ? pkcs11.CKO_SECRET_KEY : pkcs11.CKO_PRIVATE_KEY;
  return cryptoki.find(session, [
    { type: pkcs11.CKA_CLASS, value: objectClass },
    { type: pkcs11.CKA_LABEL, value: label },
  ]);
}

/** What a key is, told by what it does and not by what it is called. */
export function describeKey(
  cryptoki: Cryptoki,
  session: Handle,
  key: Handle,
  label: string,
  mechanism: WrapMechanism,
): KekInfo {
  switch (mechanism) {
    case 'aes-gcm':
      return {
        label,
        mechanism,
        fingerprint: sha256(fingerprintCiphertext(cryptoki, session, key)),
      };
    case 'rsa-oaep-sha1':
    case 'rsa-oaep-sha256': {
      const n = cryptoki.attribute(session, key, pkcs11.CKA_MODULUS).toString('base64url');
      const e = cryptoki.attribute(session, key, pkcs11.CKA_PUBLIC_EXPONENT).toString('base64url');
      const spki = createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' }).export({
        type: 'spki',
        format: 'der',
      });
      const publicKey = Uint8Array.from(spki);
      return { label, mechanism, fingerprint: sha256(publicKey), publicKey };
    }
    default:
      return unreachable(mechanism);
  }
}

function fingerprintCiphertext(cryptoki: Cryptoki, session: Handle, key: Handle): Uint8Array {
  return cryptoki.encrypt(
    session,
    gcm(FINGERPRINT_IV, FINGERPRINT_AAD),
    key,
    FINGERPRINT_PLAINTEXT,
  );
}

/**
 * Decrypts the canary. For AES it is the ciphertext that the fingerprint is the hash of, so it is
 * the same for ever and needs no storage; for RSA a fresh one under the known public key.
 *
 * @throws CryptokiError
 * @throws StrongroomError `hsm.key-mismatch` when the key is another one.
 */
export function openCanary(cryptoki: Cryptoki, session: Handle, key: Handle, kek: KekInfo): void {
  const aes = kek.mechanism === 'aes-gcm';
  const expected = aes ? FINGERPRINT_PLAINTEXT : randomBytes(32);
  const canary = aes
    ? fingerprintCiphertext(cryptoki, session, key)
    : wrapWithPublicKey(kek, expected);
  const opened = cryptoki.decrypt(session, decryptMechanism(kek.mechanism), key, canary);
  if (!equalBytes(opened, expected) || (aes && !equalBytes(sha256(canary), kek.fingerprint))) {
    throw new StrongroomError(
      'hsm.key-mismatch',
      `Key "${kek.label}" is not the one with fingerprint ${hex(kek.fingerprint)}`,
    );
  }
}

function decryptMechanism(mechanism: WrapMechanism): Mechanism {
  return mechanism === 'aes-gcm' ? gcm(FINGERPRINT_IV, FINGERPRINT_AAD) : oaep(mechanism);
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}
