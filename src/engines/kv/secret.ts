import { StrongroomError, utf8Bytes } from '../../lib/index.ts';
import {
  decodeRecord,
  encodeRecord,
  type MountRef,
  pathSegments,
  type StorageTransaction,
  type StorageView,
} from '../../vault/index.ts';
import {
  decodeSecret,
  encodeSecret,
  type SecretRecord,
  type VersionRecord,
} from './secret-record.ts';

/** Kinds of this engine's records. On disk: never renumber. */
export const kinds = { config: 1, metadata: 2, data: 3 } as const;

export const MAX_VERSIONS_DEFAULT = 10;
/** A secret's history is one record, rewritten with each version. */
export const MAX_VERSIONS_MAX = 1000;
/** A hundred years: what ends later has no date that every client can show. */
export const DELETE_AFTER_MS_MAX = 100 * 365 * 86_400_000;
/** How deep the JSON of a secret may nest. */
const DEPTH_MAX = 100;
const [QUOTE, BACKSLASH, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] =
  utf8Bytes('"\\{}[]');
const CUSTOM_ENTRIES_MAX = 64;
const CUSTOM_KEY_BYTES_MAX = 128;
const CUSTOM_VALUE_BYTES_MAX = 512;

export interface MountConfig {
  readonly maxVersions: number;
  readonly casRequired: boolean;
  readonly deleteVersionAfterMs: number;
}

export const firstConfig: MountConfig = {
  maxVersions: 0,
  casRequired: false,
  deleteVersionAfterMs: 0,
};

/** One secret of a mount, read and written through a storage view or transaction. */
export class Secret<Storage extends StorageView> {
  readonly #storage: Storage;
  readonly #mount: MountRef;
  readonly #segments: readonly string[];

  constructor(storage: Storage, mount: MountRef, path: string) {
    this.#storage = storage;
    this.#mount = mount;
    this.#segments = pathSegments(path, 'path');
  }

  record(): SecretRecord | undefined {
    const bytes = this.#storage.get(this.#mount.area(kinds.metadata), this.#segments);
    return bytes === undefined ? undefined : decodeSecret(bytes);
  }

  /** Whether it has a record, without opening it. */
  isThere(): boolean {
    return this.#storage.has(this.#mount.area(kinds.metadata), this.#segments);
  }

  /** @throws StrongroomError `kv.not-found` */
  requireRecord(): SecretRecord {
    const record = this.record();
    if (record === undefined) throw secretNotFound();
    return record;
  }

  data(version: number): Uint8Array | undefined {
    return this.#storage.get(this.#mount.area(kinds.data), this.dataPath(version));
  }

  dataPath(version: number): readonly string[] {
    return [...this.#segments, `v${version}`];
  }

  get metadataPath(): readonly string[] {
    return this.#segments;
  }
}

export function readConfig(storage: StorageView, mount: MountRef): MountConfig {
  const bytes = storage.get(mount.area(kinds.config), ['config']);
  return bytes === undefined ? firstConfig : decodeRecord<MountConfig>(bytes);
}

export function writeConfig(
  storage: StorageTransaction,
  mount: MountRef,
  config: MountConfig,
): void {
  storage.put(mount.area(kinds.config), ['config'], encodeRecord(config));
}

export function writeRecord(
  storage: StorageTransaction,
  mount: MountRef,
  secret: Secret<StorageTransaction>,
  record: SecretRecord,
): void {
  storage.put(mount.area(kinds.metadata), secret.metadataPath, encodeSecret(record));
}

export function newRecord(nowMs: number): SecretRecord {
  return {
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    currentVersion: 0,
    versions: [],
    maxVersions: 0,
    casRequired: false,
    deleteVersionAfterMs: 0,
    customMetadata: {},
    change: 'metadata',
    changedVersions: [],
  };
}

/** The version's record; undefined when it never was, or was dropped for newer ones. */
export function versionOf(record: SecretRecord, version: number) {
  return record.versions.find((one) => one.version === version);
}

export function isDeleted(version: VersionRecord, nowMs: number): boolean {
  return version.destroyed || (version.deletedAtMs !== 0 && version.deletedAtMs <= nowMs);
}

/** @throws StrongroomError `kv.check-and-set-mismatch`, `kv.check-and-set-required` */
export function checkAndSet(
  record: SecretRecord | undefined,
  config: MountConfig,
  cas: number | undefined,
): void {
  if (cas === undefined) {
    if (!config.casRequired && record?.casRequired !== true) return;
    throw new StrongroomError(
      'kv.check-and-set-required',
      'Cannot write the secret: a write must name the version that it replaces (cas)',
    );
  }
  const current = record?.currentVersion ?? 0;
  if (cas === current) return;
  throw new StrongroomError(
    'kv.check-and-set-mismatch',
    `Cannot write the secret: cas says that version ${cas} is current, it is ${current}; read it again`,
    { details: { currentVersion: current } },
  );
}

/** Whether it is what a secret may be: a JSON object. @throws StrongroomError `kv.invalid-data` */
export function checkData(data: Uint8Array): void {
  if (depthOf(data) > DEPTH_MAX) throw invalidData(`it is deeper than ${DEPTH_MAX}`);
  let value: unknown;
  try {
    // With a byte order mark it is no JSON to other readers.
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data));
  } catch (error) {
    // The parser's own message quotes the secret, so it is not passed on.
    throw invalidData(error instanceof SyntaxError ? 'it is not JSON' : 'it is not UTF-8');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidData('it is not a JSON object');
  }
}

/** How deep JSON text nests at most, without parsing it: parsing and printing would recurse. */
function depthOf(json: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (isInString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) deepest = Math.max(deepest, ++depth);
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return deepest;
}

/** @throws StrongroomError `request.invalid` */
export function checkCustomMetadata(entries: Readonly<Record<string, string>>): void {
  const all = Object.entries(entries);
  const refuse = (why: string) =>
    new StrongroomError('request.invalid', `Cannot write the metadata: ${why}`);
  if (all.length > CUSTOM_ENTRIES_MAX) throw refuse(`it has over ${CUSTOM_ENTRIES_MAX} entries`);
  for (const [key, value] of all) {
    if (key === '' || utf8Bytes(key).length > CUSTOM_KEY_BYTES_MAX) {
      throw refuse(`a key is empty or over ${CUSTOM_KEY_BYTES_MAX} bytes`);
    }
    if (utf8Bytes(value).length > CUSTOM_VALUE_BYTES_MAX) {
      throw refuse(`a value is over ${CUSTOM_VALUE_BYTES_MAX} bytes`);
    }
  }
}

export function secretNotFound(): StrongroomError {
  return new StrongroomError('kv.not-found', 'Cannot find the secret: there is none at this path');
}

export function versionNotFound(): StrongroomError {
  return new StrongroomError(
    'kv.version-not-found',
    'Cannot find the version: it never was, or was dropped for newer ones',
  );
}

function invalidData(why: string): StrongroomError {
  return new StrongroomError('kv.invalid-data', `Cannot write the secret: ${why}`);
}
