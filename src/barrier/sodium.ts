import sodium from 'libsodium-wrappers';

/**
 * Prepares the library (it compiles WebAssembly, about 20 ms). Once a process, before any other call
 * of this folder; later calls return at once.
 */
export async function loadSodium(): Promise<void> {
  await sodium.ready;
}

/** BLAKE2b keyed with 32 bytes: 16 to 64 bytes of output. A PRF, a MAC and a KDF (RFC 7693). */
export function keyedHash(outputBytes: number, key: Uint8Array, message: Uint8Array): Uint8Array {
  return sodium.crypto_generichash(outputBytes, message, key);
}

/** XChaCha20-Poly1305-IETF: ciphertext with its 16-byte tag. */
export function aeadSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, aad, null, nonce, key);
}

/** `undefined` when the tag does not fit. */
export function aeadOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array | undefined {
  try {
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, ciphertext, aad, nonce, key);
  } catch {
    // The library throws one text for every way of not fitting; there is nothing else to learn.
    return undefined;
  }
}

/**
 * The XChaCha20 stream over `bytes`; applied twice it gives them back. This build of the library has
 * no bare stream, so the AEAD's is used and its tag left behind: only for callers that authenticate
 * in another way (see `sealed-segment.ts`).
 */
export function streamXor(key: Uint8Array, nonce: Uint8Array, bytes: Uint8Array): Uint8Array {
  return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt_detached(bytes, null, null, nonce, key)
    .ciphertext;
}

export const KEY_BYTES = 32;
export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;
