import { concatBytes, utf8Bytes } from '../../lib/index.ts';

/** First byte of records that are not sealed, because they are needed to unseal. */
const SYSTEM_SPACE = 0x01;

/** Holds the sealed keyring. */
export const KEYRING_RECORD = 'keyring';

/** The store key of a record of the cluster itself, such as `seal/slots/hsm-a`. */
export function systemKey(name: string): Uint8Array {
  return concatBytes(Uint8Array.of(SYSTEM_SPACE), utf8Bytes(name));
}
