import { createHash, timingSafeEqual } from 'node:crypto';
import {
  concatBytes,
  fromHex,
  hex,
  lengthPrefixed,
  type Random,
  StrongroomError,
  utf8Bytes,
} from '../../lib/index.ts';

const PREFIX = 'srj.';
const VERSION = 1;
const ID_BYTES = 16;
const SECRET_BYTES = 32;
const FINGERPRINT_BYTES = 32;
const CHECK_BYTES = 4;
const BODY_BYTES = 1 + ID_BYTES + SECRET_BYTES + FINGERPRINT_BYTES + 8;
const TTL_MS_MAX = 30 * 24 * 3600 * 1000;
const TTL_MS_MIN = 1000;

/** What a join token says to the node that presents it. */
export interface JoinToken {
  /** Hex; names the record, is not secret. */
  readonly id: string;
  readonly secret: Uint8Array;
  /** SHA-256 of the cluster CA's DER, hex: the joining node trusts this CA and no other. */
  readonly caFingerprint: string;
  readonly expiresAtMs: number;
}

/** What the cluster keeps of a join token: not enough to make it again. */
export interface JoinTokenRecord {
  readonly id: string;
  /** Hex. */
  readonly secretHash: string;
  readonly kind: 'voter' | 'replica';
  readonly region: string;
  /** The only name it may be used for; empty: any. */
  readonly name: string;
  readonly expiresAtMs: number;
  /** Fingerprint of the key that used it, once used. */
  readonly usedBy?: string;
}

/**
 * Makes a one-use join token. Show `text` once; keep `record`.
 *
 * @throws StrongroomError `request.invalid` for a lifetime under a second or over 30 days.
 */
export function createJoinToken(options: {
  readonly caFingerprint: string;
  readonly kind: 'voter' | 'replica';
  readonly region: string;
  readonly name?: string;
  readonly ttlMs: number;
  readonly nowMs: number;
  readonly random: Random;
}): { readonly text: string; readonly record: JoinTokenRecord } {
  if (!(options.ttlMs >= TTL_MS_MIN && options.ttlMs <= TTL_MS_MAX)) {
    throw new StrongroomError(
      'request.invalid',
      `Cannot make a join token that lives ${options.ttlMs} ms: choose from ${TTL_MS_MIN} to ${TTL_MS_MAX}`,
    );
  }
  const id = options.random.bytes(ID_BYTES);
  const secret = options.random.bytes(SECRET_BYTES);
  const expiresAtMs = Math.floor(options.nowMs + options.ttlMs);
  const expiry = new Uint8Array(8);
  new DataView(expiry.buffer).setBigUint64(0, BigInt(expiresAtMs));
  const fingerprint = fromHex(options.caFingerprint);
  const body = concatBytes(Uint8Array.of(VERSION), id, secret, fingerprint, expiry);
  return {
    text: PREFIX + Buffer.from(concatBytes(body, checksum(body))).toString('base64url'),
    record: {
      id: hex(id),
      secretHash: hashSecret(id, secret),
      kind: options.kind,
      region: options.region,
      name: options.name ?? '',
      expiresAtMs,
    },
  };
}

/**
 * Reads a join token's text. The checksum finds slips of copying before anything is sent.
 *
 * @throws StrongroomError `cluster.join-refused`; the token itself is not repeated.
 */
export function parseJoinToken(text: string): JoinToken {
  const trimmed = text.trim();
  const encoded = trimmed.slice(PREFIX.length);
  const bytes = new Uint8Array(Buffer.from(encoded, 'base64url'));
  const isWhole =
    trimmed.startsWith(PREFIX) &&
    bytes.length === BODY_BYTES + CHECK_BYTES &&
    // The decoder skips what it does not know, so only the exact text is accepted.
    Buffer.from(bytes).toString('base64url') === encoded;
  const body = bytes.subarray(0, BODY_BYTES);
  if (!isWhole || !timingSafeEqual(checksum(body), bytes.subarray(BODY_BYTES))) {
    throw refused('it is not a join token, or not a whole one; copy it again');
  }
  if (body[0] !== VERSION) throw refused('it was made by another version of Strongroom');
  let at = 1;
  const take = (count: number) => body.slice(at, (at += count));
  const id = hex(take(ID_BYTES));
  const secret = take(SECRET_BYTES);
  const caFingerprint = hex(take(FINGERPRINT_BYTES));
  const view = new DataView(body.buffer, body.byteOffset + at, 8);
  return { id, secret, caFingerprint, expiresAtMs: Number(view.getBigUint64(0)) };
}

/**
 * Decides whether a presented token opens the door.
 *
 * @param record what is kept under the token's id, if anything.
 * @param asker fingerprint of the key that asks. A node whose answer was lost asks again with the
 *   same key, and is let in again.
 * @returns `fresh`: mark the record as used by `asker`; `again`: it was this asker already.
 * @throws StrongroomError `cluster.join-refused`
 */
export function checkJoinToken(
  record: JoinTokenRecord | undefined,
  token: JoinToken,
  asker: { readonly keyFingerprint: string; readonly name: string },
  nowMs: number,
): 'fresh' | 'again' {
  // The same answer for an unknown id and a wrong secret: nothing to learn by guessing.
  const presented = hashSecret(fromHex(token.id), token.secret);
  const kept = record?.secretHash ?? '0'.repeat(64);
  if (!timingSafeEqual(fromHex(presented), fromHex(kept)) || record === undefined) {
    throw refused('this cluster did not make it, or has forgotten it; ask for a new one');
  }
  if (record.usedBy !== undefined) {
    if (record.usedBy === asker.keyFingerprint) return 'again';
    throw refused('it was used by another node already; ask for a new one');
  }
  // The kept deadline counts, not the one that the token states.
  if (nowMs >= record.expiresAtMs) {
    throw refused(`it expired at ${new Date(record.expiresAtMs).toISOString()}; ask for a new one`);
  }
  if (record.name !== '' && record.name !== asker.name) {
    throw refused(`it is for a node named "${record.name}"`);
  }
  return 'fresh';
}

function hashSecret(id: Uint8Array, secret: Uint8Array): string {
  return createHash('sha256')
    .update(lengthPrefixed(utf8Bytes('strongroom join token'), id, secret))
    .digest('hex');
}

function checksum(body: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(body).digest().subarray(0, CHECK_BYTES));
}

function refused(why: string): StrongroomError {
  return new StrongroomError('cluster.join-refused', `Cannot join with this token: ${why}`);
}
