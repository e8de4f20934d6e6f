import { equalBytes, utf8Bytes } from '../lib/index.ts';
import type { ByteSlab } from './byte-slab.ts';
import { type Draft, openDraft, type Stretch } from './draft.ts';
import { KEY_BYTES, NONCE_BYTES, TAG_BYTES } from './sodium.ts';

const COMMITMENT_BYTES = 32;
const LABEL = utf8Bytes('strongroom/barrier/message-key/v1');

/** What a sealed message is longer than its plaintext. */
export const SEALED_OVERHEAD_BYTES = NONCE_BYTES + COMMITMENT_BYTES + TAG_BYTES;

/** Writes the bytes that a message is bound to, which must tell its context whole. */
export type WriteAad = (draft: Draft) => void;

export type Opened =
  | { readonly kind: 'opened'; readonly plaintext: Uint8Array }
  /** Another key, another context, or a changed header. */
  | { readonly kind: 'not-committed' }
  /** The right key and context, but changed bytes. */
  | { readonly kind: 'changed' };

export interface Sealing {
  /** Put in front of the sealed message as it is; bound only if the AAD tells it. */
  readonly head: Uint8Array;
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly aad: WriteAad;
  readonly plaintext: Uint8Array;
  /** Where the result is allocated. */
  readonly slab: ByteSlab;
}

/**
 * Seals one message: head | nonce (24) | commitment (32) | ciphertext | tag (16).
 *
 * XChaCha20-Poly1305 alone does not commit to its key: one ciphertext can be made that opens under
 * two keys to two plaintexts (Len, Grubbs, Ristenpart 2021). So each message has a key of its own,
 * and the same BLAKE2b-512 call that derives it yields the commitment: key | commitment =
 * BLAKE2b-512(key, nonce, AAD), the shape of the AWS Encryption SDK's committing suites. Committing
 * per message rather than per key costs 2 microseconds and binds the context as well as the key:
 * not even somebody who knows keys can make bytes that open in two places. It also makes the nonce
 * bound moot: two messages share a cipher key only when nonce and AAD are both equal.
 */
export function sealCommitted({ head, key, nonce, aad, plaintext, slab }: Sealing): Uint8Array {
  const draft = openDraft();
  try {
    const message = derive(draft, key, nonce, aad);
    const body = { at: draft.bytes(plaintext), length: plaintext.length };
    draft.reserve(TAG_BYTES);
    draft.encrypt(body, message.aad, message.nonceAt, message.keyAt);
    const sealed = slab.take(head.length + SEALED_OVERHEAD_BYTES + plaintext.length);
    sealed.set(head);
    sealed.set(nonce, head.length);
    const commitmentAt = head.length + NONCE_BYTES;
    sealed.set(draft.look(message.commitmentAt, COMMITMENT_BYTES), commitmentAt);
    sealed.set(draft.look(body.at, plaintext.length + TAG_BYTES), commitmentAt + COMMITMENT_BYTES);
    return sealed;
  } finally {
    draft.wipe();
  }
}

/** Opens what `sealCommitted` made, less its head, with the same key and AAD. */
export function openCommitted(key: Uint8Array, aad: WriteAad, sealed: Uint8Array): Opened {
  if (sealed.length < SEALED_OVERHEAD_BYTES) return { kind: 'changed' };
  const draft = openDraft();
  try {
    const message = derive(draft, key, sealed.subarray(0, NONCE_BYTES), aad);
    const commitment = sealed.subarray(NONCE_BYTES, NONCE_BYTES + COMMITMENT_BYTES);
    if (!equalBytes(commitment, draft.look(message.commitmentAt, COMMITMENT_BYTES))) {
      return { kind: 'not-committed' };
    }
    const at = draft.bytes(sealed.subarray(NONCE_BYTES + COMMITMENT_BYTES));
    const body = draft.since(at);
    if (!draft.decrypt(body, message.aad, message.nonceAt, message.keyAt)) {
      return { kind: 'changed' };
    }
    // Plaintext gets memory of its own, never a part of a shared block.
    return { kind: 'opened', plaintext: draft.copy(at, body.length - TAG_BYTES) };
  } finally {
    draft.wipe();
  }
}

interface Message {
  readonly keyAt: number;
  readonly commitmentAt: number;
  readonly nonceAt: number;
  readonly aad: Stretch;
}

/** Derives the message's key, then the commitment to it, of the label, the nonce and the AAD. */
function derive(draft: Draft, key: Uint8Array, nonce: Uint8Array, aad: WriteAad): Message {
  const secretAt = draft.bytes(key);
  const keyAt = draft.reserve(KEY_BYTES + COMMITMENT_BYTES);
  const inputAt = draft.length;
  draft.part(LABEL);
  const nonceAt = draft.part(nonce);
  const part = draft.openPart();
  aad(draft);
  const told = draft.closePart(part);
  draft.hash({ at: keyAt, length: KEY_BYTES + COMMITMENT_BYTES }, draft.since(inputAt), secretAt);
  return { keyAt, commitmentAt: keyAt + KEY_BYTES, nonceAt, aad: told };
}
