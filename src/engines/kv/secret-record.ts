import { StrongroomError, utf8Bytes, utf8Text } from '../../lib/index.ts';

export interface VersionRecord {
  readonly createdAtMs: number;
  /** 0: not deleted. In the future: will be. */
  readonly deletedAtMs: number;
  readonly destroyed: boolean;
}

/** What is kept of a secret beside its data, under its path. */
export interface SecretRecord {
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly currentVersion: number;
  /** By number, oldest first. */
  readonly versions: readonly (VersionRecord & { readonly version: number })[];
  readonly maxVersions: number;
  readonly casRequired: boolean;
  readonly deleteVersionAfterMs: number;
  readonly customMetadata: Readonly<Record<string, string>>;
  /** What the last change was, for watchers. */
  readonly change: 'put' | 'delete' | 'undelete' | 'destroy' | 'metadata';
  readonly changedVersions: readonly number[];
}

const FORMAT = 1;
/** On disk: only add. */
const CHANGES = ['put', 'delete', 'undelete', 'destroy', 'metadata'] as const;
/** format (1) | change (1) | flags (1) | three counts (4) | two u32 | three float64. */
const HEAD_BYTES = 3 + 3 * 4 + 2 * 4 + 3 * 8;
/** number (4) | created (8) | deleted (8) | destroyed (1). */
const VERSION_BYTES = 4 + 8 + 8 + 1;
const CHANGED_BYTES = 4;
const TEXT_HEAD_BYTES = 2;
const CAS_REQUIRED = 1;

/**
 * What is kept of a secret, as it is sealed: numbers in fixed places, since it is read with every
 * get, and read and written with every put. Times are float64, so that none that is a number here
 * is too long; all is big-endian.
 */
export function encodeSecret(record: SecretRecord): Uint8Array {
  const { versions, changedVersions } = record;
  const texts = Object.entries(record.customMetadata).flat().map(utf8Bytes);
  const textBytes = texts.reduce((sum, text) => sum + TEXT_HEAD_BYTES + text.length, 0);
  const out = new Uint8Array(
    HEAD_BYTES +
      versions.length * VERSION_BYTES +
      changedVersions.length * CHANGED_BYTES +
      textBytes,
  );
  const view = new DataView(out.buffer);
  out[0] = FORMAT;
  out[1] = CHANGES.indexOf(record.change);
  out[2] = record.casRequired ? CAS_REQUIRED : 0;
  view.setUint32(3, versions.length);
  view.setUint32(7, changedVersions.length);
  view.setUint32(11, texts.length);
  view.setUint32(15, record.currentVersion);
  view.setUint32(19, record.maxVersions);
  view.setFloat64(23, record.createdAtMs);
  view.setFloat64(31, record.updatedAtMs);
  view.setFloat64(39, record.deleteVersionAfterMs);
  let at = HEAD_BYTES;
  for (const one of versions) {
    view.setUint32(at, one.version);
    view.setFloat64(at + 4, one.createdAtMs);
    view.setFloat64(at + 12, one.deletedAtMs);
    out[at + 20] = one.destroyed ? 1 : 0;
    at += VERSION_BYTES;
  }
  for (const version of changedVersions) {
    view.setUint32(at, version);
    at += CHANGED_BYTES;
  }
  for (const text of texts) {
    view.setUint16(at, text.length);
    out.set(text, at + TEXT_HEAD_BYTES);
    at += TEXT_HEAD_BYTES + text.length;
  }
  return out;
}

/**
 * What was sealed by this program opens as it was, so its shape is trusted.
 * @throws StrongroomError `barrier.tampered` when a later version of this program wrote it.
 */
export function decodeSecret(bytes: Uint8Array): SecretRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const change = CHANGES[view.getUint8(1)];
  if (view.getUint8(0) !== FORMAT || change === undefined) {
    throw new StrongroomError(
      'barrier.tampered',
      'Cannot read what is kept of the secret: its layout is not of this version, start a newer one',
    );
  }
  const counts = {
    versions: view.getUint32(3),
    changed: view.getUint32(7),
    texts: view.getUint32(11),
  };
  const changedAt = HEAD_BYTES + counts.versions * VERSION_BYTES;
  const textsAt = changedAt + counts.changed * CHANGED_BYTES;
  return {
    createdAtMs: view.getFloat64(23),
    updatedAtMs: view.getFloat64(31),
    currentVersion: view.getUint32(15),
    versions: decodeVersions(view, counts.versions),
    maxVersions: view.getUint32(19),
    casRequired: (view.getUint8(2) & CAS_REQUIRED) !== 0,
    deleteVersionAfterMs: view.getFloat64(39),
    customMetadata: counts.texts === 0 ? {} : decodeTexts(bytes, view, textsAt, counts.texts),
    change,
    changedVersions: Array.from({ length: counts.changed }, (_, i) =>
      view.getUint32(changedAt + i * CHANGED_BYTES),
    ),
  };
}

function decodeVersions(view: DataView, count: number): SecretRecord['versions'] {
  const versions: SecretRecord['versions'][number][] = [];
  for (let i = 0, at = HEAD_BYTES; i < count; i++, at += VERSION_BYTES) {
    versions.push({
      version: view.getUint32(at),
      createdAtMs: view.getFloat64(at + 4),
      deletedAtMs: view.getFloat64(at + 12),
      destroyed: view.getUint8(at + 20) !== 0,
    });
  }
  return versions;
}

/** Keys and values in turn. Own properties whatever the key, `__proto__` too. */
function decodeTexts(
  bytes: Uint8Array,
  view: DataView,
  from: number,
  count: number,
): Record<string, string> {
  const entries: [string, string][] = [];
  let at = from;
  const next = () => {
    const end = at + TEXT_HEAD_BYTES + view.getUint16(at);
    const text = utf8Text(bytes.subarray(at + TEXT_HEAD_BYTES, end));
    at = end;
    return text;
  };
  for (let i = 0; i < count; i += 2) entries.push([next(), next()]);
  return Object.fromEntries(entries);
}
