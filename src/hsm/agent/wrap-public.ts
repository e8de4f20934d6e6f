import { constants, createPublicKey, publicEncrypt } from 'node:crypto';
import { StrongroomError } from '../../lib/index.ts';
import type { KekInfo } from '../token.ts';

/** RSA-OAEP needs only the public key, so it also works while the token is away. */
export function wrapWithPublicKey(kek: KekInfo, secret: Uint8Array): Uint8Array {
  if (kek.publicKey === undefined || kek.mechanism === 'aes-gcm') {
    throw new StrongroomError('hsm.misuse', `Key "${kek.label}" has no public half`);
  }
  const key = createPublicKey({ key: Buffer.from(kek.publicKey), format: 'der', type: 'spki' });
  const oaepHash = kek.mechanism === 'rsa-oaep-sha1' ? 'sha1' : 'sha256';
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return Uint8Array.from(publicEncrypt({ key, padding, oaepHash }, secret));
}
