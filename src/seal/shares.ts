import { createHash } from 'node:crypto';
import { combine, split } from 'shamir-secret-sharing';
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
} from '../lib/index.ts';

const SECRET_BYTES = 32;
/** The library's form: the secret's length in y values, then the x coordinate. */
const SHARE_BYTES = SECRET_BYTES + 1;
const SET_ID_BYTES = 4;
const CHECKSUM_BYTES = 4;
const DIGEST_BYTES = 32;
export const SHARES_MAX = 255;
const SHARE_TEXT_MAX = 200;

const PREFIX = 'srshare1';
/** Crockford's base 32: no I, L, O or U, because people read shares aloud. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** What everybody may know of a share set; it tells each wrong share, by its own digest. */
export interface ShareSet {
  /** 8 hex digits. */
  readonly id: string;
  readonly threshold: number;
  /** One for each share: SHA-256 over set, index and share. Shares are 33 bytes of chance, so
   * their digests help nobody to guess them. */
  readonly digests: readonly Uint8Array[];
}

export interface Share {
  readonly setId: string;
  /** Counts from 1. */
  readonly index: number;
  readonly threshold: number;
  readonly total: number;
  readonly value: SecretBytes;
}

/**
 * Splits 32 bytes so that any `threshold` of `total` shares give them back, and fewer say nothing.
 *
 * @throws StrongroomError `seal.slot-unfit` for numbers that make no sense.
 */
export async function splitSecret(
  secret: SecretBytes,
  total: number,
  threshold: number,
  random: Random,
): Promise<{ readonly set: ShareSet; readonly shares: readonly string[] }> {
  requireFit(total, threshold);
  const id = hex(random.bytes(SET_ID_BYTES));
  // The library wants a plain Uint8Array, and refuses one share of one, which is the secret itself.
  const plain = Uint8Array.from(secret.reveal());
  const values =
    total === 1 ? [concatBytes(plain, Uint8Array.of(1))] : await split(plain, total, threshold);
  plain.fill(0);
  const shares: string[] = [];
  const digests: Uint8Array[] = [];
  for (const [at, bytes] of values.entries()) {
    using value = SecretBytes.take(bytes);
    const share = { setId: id, index: at + 1, threshold, total, value };
    shares.push(encodeShare(share));
    digests.push(digest(share));
  }
  return { set: { id, threshold, digests }, shares };
}

/**
 * @param shares exactly `threshold` of them, each checked against the set before.
 * @throws StrongroomError `seal.share-invalid` when they do not combine.
 */
export async function combineShares(shares: readonly Share[]): Promise<SecretBytes> {
  const values = shares.map((share) => Uint8Array.from(share.value.reveal()));
  try {
    const [only] = values;
    if (only !== undefined && values.length === 1) {
      return SecretBytes.copy(only.subarray(0, SECRET_BYTES));
    }
    return SecretBytes.take(await combine(values));
  } catch (cause) {
    throw new StrongroomError('seal.share-invalid', 'The shares do not combine', { cause });
  } finally {
    for (const value of values) value.fill(0);
  }
}

/** `srshare1-<set>-<index>-<threshold>-<total>-<base 32 of share and checksum>`. */
export function encodeShare(share: Share): string {
  const body = concatBytes(share.value.reveal(), checksum(share));
  const text = base32(body);
  body.fill(0);
  const { setId, index, threshold, total } = share;
  return `${PREFIX}-${setId}-${index}-${threshold}-${total}-${text}`;
}

/** @throws StrongroomError `seal.share-invalid`; the message never repeats the share. */
export function decodeShare(text: string): Share {
  const found =
    text.length <= SHARE_TEXT_MAX
      ? /^srshare1-([0-9a-f]{8})-(\d{1,3})-(\d{1,3})-(\d{1,3})-([0-9a-z]+)$/.exec(
          text.trim().toLowerCase(),
        )
      : null;
  const [, setId, index, threshold, total, body] = found ?? [];
  if (setId === undefined || body === undefined) {
    throw invalid('it does not read srshare1-<set>-<index>-<threshold>-<total>-<share>');
  }
  const bytes = fromBase32(body);
  if (bytes?.length !== SHARE_BYTES + CHECKSUM_BYTES) throw invalid('a character is wrong');
  const share: Share = {
    setId,
    index: Number(index),
    threshold: Number(threshold),
    total: Number(total),
    value: SecretBytes.copy(bytes.subarray(0, SHARE_BYTES)),
  };
  const sum = bytes.subarray(SHARE_BYTES);
  const valid = equalBytes(sum, checksum(share));
  bytes.fill(0);
  if (!valid) throw invalid('its checksum does not fit, so a character is wrong');
  // A share at zero is the secret itself, and the library would take and return it.
  if (share.value.reveal()[SECRET_BYTES] === 0) throw invalid('it lies at zero, which none does');
  return share;
}

/** @throws StrongroomError `seal.share-foreign`, `seal.share-wrong` */
export function checkShare(share: Share, set: ShareSet): void {
  const name = `Share ${share.index} of set ${share.setId}`;
  if (share.setId !== set.id) {
    throw new StrongroomError(
      'seal.share-foreign',
      `${name} is of another set: shares of set ${set.id} are needed`,
      { details: { set: share.setId, wanted: set.id, index: share.index } },
    );
  }
  const expected = set.digests[share.index - 1];
  if (expected === undefined || !equalBytes(expected, digest(share))) {
    throw new StrongroomError(
      'seal.share-wrong',
      `${name} is not what was handed out as share ${share.index}: it was forged or damaged`,
      { details: { set: share.setId, index: share.index } },
    );
  }
}

export function encodeShareSet(set: ShareSet): Uint8Array {
  return concatBytes(
    fromHex(set.id),
    Uint8Array.of(set.threshold, set.digests.length),
    ...set.digests,
  );
}

/** @throws RangeError when the bytes are no share set. */
export function decodeShareSet(bytes: Uint8Array): ShareSet {
  const [threshold = 0, total = 0] = bytes.subarray(SET_ID_BYTES, SET_ID_BYTES + 2);
  const start = SET_ID_BYTES + 2;
  if (bytes.length !== start + total * DIGEST_BYTES || threshold < 1 || threshold > total) {
    throw new RangeError('Not a share set');
  }
  const digests = Array.from({ length: total }, (_, at) =>
    bytes.slice(start + at * DIGEST_BYTES, start + (at + 1) * DIGEST_BYTES),
  );
  return { id: hex(bytes.subarray(0, SET_ID_BYTES)), threshold, digests };
}

function requireFit(total: number, threshold: number): void {
  const whole = Number.isSafeInteger(total) && Number.isSafeInteger(threshold);
  const fits = whole && total >= 1 && total <= SHARES_MAX && threshold >= 1 && threshold <= total;
  // One share of many would open alone, while looking like shared control.
  if (fits && (threshold > 1 || total === 1)) return;
  throw new StrongroomError(
    'seal.slot-unfit',
    `Cannot make ${total} shares of which ${threshold} unseal: at most ${SHARES_MAX} shares, a threshold from 2 up to their number, or a single one`,
  );
}

function header(share: Omit<Share, 'value'>): Uint8Array {
  return lengthPrefixed(
    fromHex(share.setId),
    Uint8Array.of(share.index & 0xff, share.threshold & 0xff, share.total & 0xff),
  );
}

function checksum(share: Share): Uint8Array {
  const parts = lengthPrefixed(
    utf8Bytes('strongroom/share-checksum/v1'),
    header(share),
    share.value.reveal(),
  );
  return sha256(parts).subarray(0, CHECKSUM_BYTES);
}

function digest(share: Share): Uint8Array {
  return sha256(
    lengthPrefixed(utf8Bytes('strongroom/share-digest/v1'), header(share), share.value.reveal()),
  );
}

function sha256(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}

function invalid(why: string): StrongroomError {
  return new StrongroomError('seal.share-invalid', `This is no share: ${why}`);
}

function base32(bytes: Uint8Array): string {
  let out = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      out += ALPHABET[(value >>> (bits - 5)) & 31] ?? '';
      bits -= 5;
    }
    value &= (1 << bits) - 1;
  }
  return bits === 0 ? out : out + (ALPHABET[(value << (5 - bits)) & 31] ?? '');
}

function fromBase32(text: string): Uint8Array | undefined {
  const out: number[] = [];
  let bits = 0;
  let value = 0;
  for (const character of text.replaceAll('o', '0').replaceAll(/[il]/g, '1')) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return undefined;
    value = (value << 5) | digit;
    bits += 5;
    if (bits >= 8) {
      out.push((value >>> (bits - 8)) & 255);
      bits -= 8;
      value &= (1 << bits) - 1;
    }
  }
  // What is left are padding bits: zero, or two texts would give one share.
  return value === 0 ? Uint8Array.from(out) : undefined;
}
