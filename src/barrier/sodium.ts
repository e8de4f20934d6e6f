import sodium from 'libsodium-wrappers';
import { equalBytes, invariant } from '../lib/index.ts';

export const KEY_BYTES = 32;
export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;

/**
 * The compiled library beneath its wrappers: its functions take addresses in its own memory. A
 * wrapper allocates and copies each argument and leaves the copies where they were; here a message
 * is put together once, in place, and overwritten (see `draft.ts`). A 64-bit length is two numbers,
 * the low half first.
 */
export interface RawSodium {
  /** Another array whenever the memory has grown. */
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  _malloc(bytes: number): number;
  _free(address: number): void;
  _crypto_generichash(
    out: number,
    outBytes: number,
    message: number,
    messageBytes: number,
    messageBytesHigh: 0,
    key: number,
    keyBytes: number,
  ): number;
  _crypto_aead_xchacha20poly1305_ietf_encrypt(
    out: number,
    outBytesAt: 0,
    plaintext: number,
    plaintextBytes: number,
    plaintextBytesHigh: 0,
    aad: number,
    aadBytes: number,
    aadBytesHigh: 0,
    unused: 0,
    nonce: number,
    key: number,
  ): number;
  _crypto_aead_xchacha20poly1305_ietf_decrypt(
    out: number,
    outBytesAt: 0,
    unused: 0,
    ciphertext: number,
    ciphertextBytes: number,
    ciphertextBytesHigh: 0,
    aad: number,
    aadBytes: number,
    aadBytesHigh: 0,
    nonce: number,
    key: number,
  ): number;
}

/** Valid once `loadSodium()` has resolved. The package's types leave this part out. */
export function rawSodium(): RawSodium {
  return (sodium as unknown as { readonly libsodium: RawSodium }).libsodium;
}

/**
 * Prepares the library (it compiles WebAssembly, about 20 ms). Once a process, before any other call
 * of this folder; later calls return at once.
 *
 * @throws InvariantError when the library beneath the wrappers is not as this folder knows it.
 */
export async function loadSodium(): Promise<void> {
  await sodium.ready;
  checkRaw(rawSodium());
}

/** One message through the wrappers and beneath them: the same bytes, or nothing may be sealed. */
function checkRaw(raw: RawSodium): void {
  const [key, nonce] = [new Uint8Array(KEY_BYTES).fill(1), new Uint8Array(NONCE_BYTES).fill(2)];
  const message = Uint8Array.of(3, 4, 5);
  const hashBytes = 64;
  const length = KEY_BYTES + NONCE_BYTES + message.length + TAG_BYTES + hashBytes;
  const keyAt = raw._malloc(length);
  const [nonceAt, messageAt] = [keyAt + KEY_BYTES, keyAt + KEY_BYTES + NONCE_BYTES];
  const hashAt = messageAt + message.length + TAG_BYTES;
  const { HEAPU8: heap } = raw;
  heap.set(key, keyAt);
  heap.set(nonce, nonceAt);
  heap.set(message, messageAt);
  const count = message.length;
  raw._crypto_generichash(hashAt, hashBytes, messageAt, count, 0, keyAt, KEY_BYTES);
  raw._crypto_aead_xchacha20poly1305_ietf_encrypt(
    ...([messageAt, 0, messageAt, count, 0, messageAt, 0, 0, 0, nonceAt, keyAt] as const),
  );
  const hashed = heap.slice(hashAt, hashAt + hashBytes);
  const sealed = heap.slice(messageAt, hashAt);
  heap.fill(0, keyAt, keyAt + length);
  raw._free(keyAt);
  invariant(
    equalBytes(hashed, sodium.crypto_generichash(hashBytes, message, key)) &&
      equalBytes(
        sealed,
        sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(message, null, null, nonce, key),
      ),
    'The cipher library gives the same bytes with and without its wrappers',
    {},
  );
}
