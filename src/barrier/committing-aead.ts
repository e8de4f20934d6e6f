import { concatBytes, equalBytes, lengthPrefixed, utf8Bytes } from '../lib/index.ts';
import { aeadOpen, aeadSeal, KEY_BYTES, keyedHash, NONCE_BYTES, TAG_BYTES } from './sodium.ts';

const COMMITMENT_BYTES = 32;
const LABEL = utf8Bytes('strongroom/barrier/message-key/v1');

/** What a sealed message is longer than its plaintext. */
export const SEALED_OVERHEAD_BYTES = NONCE_BYTES + COMMITMENT_BYTES + TAG_BYTES;

export type Opened =
  | { readonly kind: 'opened'; readonly plaintext: Uint8Array }
  /** Another key, another context, or a changed header. */
  | { readonly kind: 'not-committed' }
  /** The right key and context, but changed bytes. */
  | { readonly kind: 'changed' };

/**
 * Seals one message: nonce (24) | commitment (32) | ciphertext | tag (16).
 *
 * XChaCha20-Poly1305 alone does not commit to its key: one ciphertext can be made that opens under
 * two keys to two plaintexts (Len, Grubbs, Ristenpart 2021). So each message has a key of its own,
 * and the same BLAKE2b-512 call that derives it yields the commitment: key | commitment =
 * BLAKE2b-512(key, nonce, AAD), the shape of the AWS Encryption SDK's committing suites. Committing
 * per message rather than per key costs 2 microseconds and binds the context as well as the key:
 * not even somebody who knows keys can make bytes that open in two places. It also makes the nonce
 * bound moot: two messages share a cipher key only when nonce and AAD are both equal.
 */
export function sealCommitted(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const derived = deriveMessage(key, nonce, aad);
  const ciphertext = aeadSeal(derived.subarray(0, KEY_BYTES), nonce, aad, plaintext);
  const sealed = concatBytes(nonce, derived.subarray(KEY_BYTES), ciphertext);
  derived.fill(0);
  return sealed;
}

/** Opens what `sealCommitted` made, with the same key and AAD. */
export function openCommitted(key: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Opened {
  if (sealed.length < SEALED_OVERHEAD_BYTES) return { kind: 'changed' };
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const commitment = sealed.subarray(NONCE_BYTES, NONCE_BYTES + COMMITMENT_BYTES);
  const derived = deriveMessage(key, nonce, aad);
  try {
    if (!equalBytes(commitment, derived.subarray(KEY_BYTES))) return { kind: 'not-committed' };
    const ciphertext = sealed.subarray(NONCE_BYTES + COMMITMENT_BYTES);
    const plaintext = aeadOpen(derived.subarray(0, KEY_BYTES), nonce, aad, ciphertext);
    return plaintext === undefined ? { kind: 'changed' } : { kind: 'opened', plaintext };
  } finally {
    derived.fill(0);
  }
}

/** 64 bytes: the message's key, then the commitment to it. */
function deriveMessage(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array): Uint8Array {
  return keyedHash(KEY_BYTES + COMMITMENT_BYTES, key, lengthPrefixed(LABEL, nonce, aad));
}
