import {
  fromHex,
  hex,
  type Random,
  type SecretBytes,
  StrongroomError,
  utf8Bytes,
} from '../lib/index.ts';
import { ByteSlab } from './byte-slab.ts';
import { openCommitted, sealCommitted, type WriteAad } from './committing-aead.ts';
import { EPOCHS_MAX, Keyring, NAMESPACES_MAX, UUID_BYTES } from './keyring.ts';
import { KEY_BYTES, NONCE_BYTES } from './sodium.ts';

const FORMAT = 1;
const LABEL = utf8Bytes('strongroom/barrier/keyring/v1');
const HEAD_BYTES = 1 + 8 + 4 + KEY_BYTES + 4 + 4;
const EPOCH_BYTES = 4 + KEY_BYTES;
const NAMESPACE_BYTES = UUID_BYTES + KEY_BYTES;

/**
 * The keyring as one blob, sealed under the root key.
 *
 * @param root 32 bytes, borrowed.
 * @param context what the blob is bound to, such as cluster id and root id. The same bytes open it.
 */
export function sealKeyring(
  root: SecretBytes,
  keyring: Keyring,
  context: Uint8Array,
  random: Random,
): Uint8Array {
  const plaintext = encode(keyring);
  try {
    return sealCommitted({
      head: Uint8Array.of(FORMAT),
      key: root.reveal(),
      nonce: random.bytes(NONCE_BYTES),
      aad: aadOf(context),
      plaintext,
      slab: new ByteSlab(),
    });
  } finally {
    plaintext.fill(0);
  }
}

/**
 * @throws StrongroomError `barrier.wrong-key` when sealed under another root or context (or its
 * header was changed), `barrier.tampered` when its content was changed.
 */
export function openKeyring(root: SecretBytes, blob: Uint8Array, context: Uint8Array): Keyring {
  if (blob[0] !== FORMAT) {
    throw new StrongroomError(
      'barrier.tampered',
      `Cannot open the keyring: its format is ${blob[0] ?? 'missing'}, this version knows ${FORMAT}`,
    );
  }
  const opened = openCommitted(root.reveal(), aadOf(context), blob.subarray(1));
  switch (opened.kind) {
    case 'not-committed':
      throw new StrongroomError(
        'barrier.wrong-key',
        'Cannot open the keyring: it was sealed under another root key or for another cluster',
      );
    case 'changed':
      throw new StrongroomError('barrier.tampered', 'Cannot open the keyring: its bytes changed');
    case 'opened':
      try {
        return decode(opened.plaintext);
      } finally {
        opened.plaintext.fill(0);
      }
  }
}

function aadOf(context: Uint8Array): WriteAad {
  return (draft) => {
    draft.part(LABEL);
    draft.part(context);
  };
}

/** format, generation (8), epoch (4), secrets key, two counts (4), epochs, namespaces. */
function encode(keyring: Keyring): Uint8Array {
  const { generation, epoch, secretsKey, epochKeys, namespaceKeys } = keyring.reveal();
  const out = new Uint8Array(
    HEAD_BYTES + epochKeys.size * EPOCH_BYTES + namespaceKeys.size * NAMESPACE_BYTES,
  );
  const view = new DataView(out.buffer);
  out[0] = FORMAT;
  view.setBigUint64(1, BigInt(generation));
  view.setUint32(9, epoch);
  out.set(secretsKey, 13);
  view.setUint32(13 + KEY_BYTES, epochKeys.size);
  view.setUint32(17 + KEY_BYTES, namespaceKeys.size);
  let at = HEAD_BYTES;
  for (const [number, key] of epochKeys) {
    view.setUint32(at, number);
    out.set(key, at + 4);
    at += EPOCH_BYTES;
  }
  for (const [uuid, key] of namespaceKeys) {
    out.set(fromHex(uuid), at);
    out.set(key, at + UUID_BYTES);
    at += NAMESPACE_BYTES;
  }
  return out;
}

/** Authentic bytes, so what does not fit comes from another version, not from an attacker. */
function decode(bytes: Uint8Array): Keyring {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const epochs = bytes.length >= HEAD_BYTES ? view.getUint32(13 + KEY_BYTES) : 0;
  const namespaces = bytes.length >= HEAD_BYTES ? view.getUint32(17 + KEY_BYTES) : 0;
  const wanted = HEAD_BYTES + epochs * EPOCH_BYTES + namespaces * NAMESPACE_BYTES;
  if (
    bytes[0] !== FORMAT ||
    epochs < 1 ||
    epochs > EPOCHS_MAX ||
    namespaces > NAMESPACES_MAX ||
    bytes.length !== wanted
  ) {
    throw new StrongroomError(
      'barrier.tampered',
      'Cannot read the keyring: its layout is not of this version, start a newer one',
    );
  }
  const epochKeys = new Map<number, Uint8Array>();
  const namespaceKeys = new Map<string, Uint8Array>();
  let at = HEAD_BYTES;
  for (let i = 0; i < epochs; i++, at += EPOCH_BYTES) {
    epochKeys.set(view.getUint32(at), bytes.slice(at + 4, at + EPOCH_BYTES));
  }
  for (let i = 0; i < namespaces; i++, at += NAMESPACE_BYTES) {
    const uuid = hex(bytes.subarray(at, at + UUID_BYTES));
    namespaceKeys.set(uuid, bytes.slice(at + UUID_BYTES, at + NAMESPACE_BYTES));
  }
  return new Keyring({
    generation: Number(view.getBigUint64(1)),
    epoch: view.getUint32(9),
    secretsKey: bytes.slice(13, 13 + KEY_BYTES),
    epochKeys,
    namespaceKeys,
  });
}
