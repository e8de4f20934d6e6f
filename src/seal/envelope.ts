import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import {
  concatBytes,
  equalBytes,
  fromHex,
  hex,
  lengthPrefixed,
  type Random,
  SecretBytes,
  StrongroomError,
  utf8Bytes,
  utf8Text,
} from '../lib/index.ts';

export const ROOT_BYTES = 32;
export const WRAPPING_SECRET_BYTES = 32;
const ROOT_ID_BYTES = 16;
const SALT_BYTES = 32;
const COMMITMENT_BYTES = 32;
const TAG_BYTES = 16;
const ENVELOPE_BYTES_MAX = 65_536;
const NAME_BYTES_MAX = 64;

const MAGIC = utf8Bytes('SRSE');
const VERSION = 1;
const SEAL_INFO = utf8Bytes('strongroom/seal/v1');
const ROOT_ID_INFO = utf8Bytes('strongroom/root-id/v1');

export type EnvelopeKind = 'pkcs11' | 'shamir' | 'dev' | 'catch-up';

/** Everything that an envelope is bound to: changed or moved, it does not open. */
export interface EnvelopeContext {
  /** 32 hex digits. */
  readonly clusterId: string;
  readonly slot: string;
  readonly kind: EnvelopeKind;
  /** How the wrapping secret is protected: a wrap mechanism of the HSM, `shamir`, `dev-file`. */
  readonly mechanism: string;
  readonly kekLabel: string;
  /** Identity of the key that wraps, by what it does; for shares, of their set. */
  readonly kekFingerprint: Uint8Array;
  readonly kekGeneration: number;
  readonly rootGeneration: number;
  /** 32 hex digits, derived from the root. */
  readonly rootId: string;
  /** The kind's own public facts: an RSA public key, the digests of a share set. */
  readonly parameters: Uint8Array;
}

export interface Envelope {
  readonly context: EnvelopeContext;
  /** The wrapping secret, as the slot's key protects it; empty where no bytes are needed. */
  readonly wrapped: Uint8Array;
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** Names a root without telling anything of it (16 bytes as hex). */
export function rootIdOf(root: SecretBytes): string {
  return hex(derive(root.reveal(), new Uint8Array(0), ROOT_ID_INFO, ROOT_ID_BYTES));
}

/** The context as bytes: hashed, authenticated, and given to the HSM as additional data. */
export function contextBytes(context: EnvelopeContext): Uint8Array {
  return lengthPrefixed(
    Uint8Array.of(VERSION),
    fromHex(context.clusterId),
    utf8Bytes(context.slot),
    utf8Bytes(context.kind),
    utf8Bytes(context.mechanism),
    utf8Bytes(context.kekLabel),
    context.kekFingerprint,
    uint32(context.kekGeneration),
    uint32(context.rootGeneration),
    fromHex(context.rootId),
    context.parameters,
  );
}

/**
 * Seals the root under a wrapping secret that is used for this one envelope. The HSM wraps that
 * secret and never the root, so that every mechanism, even one without additional data, gets
 * binding to the context and a commitment to the key.
 */
export function sealEnvelope(
  context: EnvelopeContext,
  wrapped: Uint8Array,
  wrappingSecret: SecretBytes,
  root: SecretBytes,
  random: Random,
): Envelope {
  const bound = contextBytes(context);
  const salt = random.bytes(SALT_BYTES);
  using keys = envelopeKeys(wrappingSecret, salt, bound);
  const { key, commitment } = halves(keys);
  // Safe without a random nonce: the salt is fresh, so this key seals exactly one message.
  const cipher = createCipheriv('aes-256-gcm', key, new Uint8Array(12));
  cipher.setAAD(bound);
  const ciphertext = concatBytes(cipher.update(root.reveal()), cipher.final(), cipher.getAuthTag());
  return { context, wrapped, salt, commitment: Uint8Array.from(commitment), ciphertext };
}

/** @throws StrongroomError `seal.envelope-corrupt` */
export function openEnvelope(envelope: Envelope, wrappingSecret: SecretBytes): SecretBytes {
  const { context, salt, commitment, ciphertext } = envelope;
  const bound = contextBytes(context);
  using keys = envelopeKeys(wrappingSecret, salt, bound);
  const { key, commitment: expected } = halves(keys);
  // Before decrypting: AES-GCM alone would let one ciphertext open under two keys.
  if (!equalBytes(expected, commitment)) {
    throw corrupt(context.slot, 'it was not sealed under this key and for this place');
  }
  const end = ciphertext.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, new Uint8Array(12), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(bound);
  decipher.setAuthTag(ciphertext.subarray(end));
  try {
    const opened = decipher.update(ciphertext.subarray(0, end));
    decipher.final();
    const root = SecretBytes.copy(opened);
    opened.fill(0);
    if (rootIdOf(root) === context.rootId) return root;
    root[Symbol.dispose]();
  } catch (cause) {
    throw corrupt(context.slot, 'its ciphertext was changed', cause);
  }
  throw corrupt(context.slot, 'it holds another root than it says');
}

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return concatBytes(
    MAGIC,
    Uint8Array.of(VERSION),
    lengthPrefixed(
      contextBytes(envelope.context),
      envelope.wrapped,
      envelope.salt,
      envelope.commitment,
      envelope.ciphertext,
    ),
  );
}

/** @throws StrongroomError `seal.envelope-corrupt`, whatever the bytes are. */
export function decodeEnvelope(bytes: Uint8Array, slot: string): Envelope {
  if (bytes.length > ENVELOPE_BYTES_MAX) throw corrupt(slot, 'it is too long');
  const start = MAGIC.length + 1;
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) throw corrupt(slot, 'it is none');
  if (bytes[MAGIC.length] !== VERSION) {
    throw corrupt(slot, `its version is ${bytes[MAGIC.length] ?? 'missing'}, ${VERSION} is known`);
  }
  try {
    const [context, wrapped, salt, commitment, ciphertext] = parts(bytes.subarray(start), 5);
    if (
      context === undefined ||
      wrapped === undefined ||
      salt?.length !== SALT_BYTES ||
      commitment?.length !== COMMITMENT_BYTES ||
      ciphertext?.length !== ROOT_BYTES + TAG_BYTES
    ) {
      throw new RangeError('lengths');
    }
    return { context: decodeContext(context), wrapped, salt, commitment, ciphertext };
  } catch (cause) {
    throw corrupt(slot, 'it is malformed', cause);
  }
}

export function corrupt(slot: string, why: string, cause?: unknown): StrongroomError {
  return new StrongroomError(
    'seal.envelope-corrupt',
    `The seal envelope of slot "${slot}" does not open: ${why}; unseal by another slot, which writes it anew`,
    { details: { slot }, cause },
  );
}

function decodeContext(bytes: Uint8Array): EnvelopeContext {
  const [version, clusterId, slot, kind, mechanism, kekLabel, fingerprint, ...rest] = parts(
    bytes,
    11,
  );
  const [kekGeneration, rootGeneration, rootId, parameters] = rest;
  if (version?.length !== 1 || version[0] !== VERSION) throw new RangeError('version');
  if (clusterId?.length !== 16 || rootId?.length !== ROOT_ID_BYTES) throw new RangeError('id');
  if (fingerprint === undefined || parameters === undefined) throw new RangeError('parts');
  return {
    clusterId: hex(clusterId),
    slot: text(slot, NAME_BYTES_MAX),
    kind: kindOf(text(kind, NAME_BYTES_MAX)),
    mechanism: text(mechanism, NAME_BYTES_MAX),
    kekLabel: text(kekLabel, 256),
    kekFingerprint: fingerprint,
    kekGeneration: readUint32(kekGeneration),
    rootGeneration: readUint32(rootGeneration),
    rootId: hex(rootId),
    parameters,
  };
}

function envelopeKeys(secret: SecretBytes, salt: Uint8Array, bound: Uint8Array): SecretBytes {
  const info = lengthPrefixed(SEAL_INFO, bound);
  // HKDF takes at most 1024 bytes of info (RFC 5869 sets no bound, OpenSSL does), so hash it first.
  return SecretBytes.take(
    derive(secret.reveal(), salt, createHash('sha512').update(info).digest(), 64),
  );
}

function halves(keys: SecretBytes): { readonly key: Uint8Array; readonly commitment: Uint8Array } {
  const bytes = keys.reveal();
  return { key: bytes.subarray(0, 32), commitment: bytes.subarray(32, 64) };
}

/** HKDF-SHA-512 (RFC 5869). */
export function derive(
  secret: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  bytes: number,
): Uint8Array {
  return new Uint8Array(hkdfSync('sha512', secret, salt, info, bytes));
}

function parts(bytes: Uint8Array, count: number): readonly Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: Uint8Array[] = [];
  let at = 0;
  for (let part = 0; part < count; part++) {
    const length = view.getUint32(at);
    const end = at + 4 + length;
    if (end > bytes.length) throw new RangeError('length');
    out.push(bytes.slice(at + 4, end));
    at = end;
  }
  if (at !== bytes.length) throw new RangeError('trailing bytes');
  return out;
}

function text(bytes: Uint8Array | undefined, max: number): string {
  if (bytes === undefined || bytes.length > max) throw new RangeError('text');
  return utf8Text(bytes);
}

function kindOf(name: string): EnvelopeKind {
  if (name === 'pkcs11' || name === 'shamir' || name === 'dev' || name === 'catch-up') return name;
  throw new RangeError('kind');
}

function uint32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}

function readUint32(bytes: Uint8Array | undefined): number {
  if (bytes?.length !== 4) throw new RangeError('uint32');
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}
