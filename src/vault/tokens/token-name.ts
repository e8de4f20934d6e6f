import { createHmac } from 'node:crypto';
import type { Uuid } from '../../barrier/index.ts';
import { equalBytes, type Random } from '../../lib/index.ts';
import { ROOT_NAMESPACE } from '../places.ts';

const SECRET_BYTES = 32;
const ACCESSOR_BYTES = 18;
const FORMAT = /^srt\.[\w-]{43}(?:\.([\w-]{22}))?$/;

/**
 * A new token: "srt.", 32 random bytes and, outside the root namespace, "." and the namespace's id,
 * so that a token finds its namespace without a table that would outlive it.
 */
export function newToken(random: Random, namespace: Uuid): string {
  const secret = random.bytes(SECRET_BYTES);
  const token = `srt.${base64url(secret)}`;
  secret.fill(0);
  return equalBytes(namespace, ROOT_NAMESPACE) ? token : `${token}.${base64url(namespace)}`;
}

/** What names a token without being one. */
export function newAccessor(random: Random): string {
  return base64url(random.bytes(ACCESSOR_BYTES));
}

/** The namespace that a token says it is of; undefined when it does not look like a token. */
export function namespaceOfToken(token: string): Uuid | undefined {
  const match = FORMAT.exec(token);
  if (match === null) return undefined;
  const [, id] = match;
  return id === undefined ? ROOT_NAMESPACE : new Uint8Array(Buffer.from(id, 'base64url'));
}

/**
 * What a token is stored and looked up by. Keyed, so that whoever reads the state cannot test
 * guesses; and found by equality of a whole hash, so that timing tells nothing of the token.
 */
export function hashToken(key: Uint8Array, token: string): string {
  return createHmac('sha256', key).update(token).digest('base64url');
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}
