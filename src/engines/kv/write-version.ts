import type { MountRef, StorageTransaction, WriteContext } from '../../vault/index.ts';
import {
  checkAndSet,
  kinds,
  MAX_VERSIONS_DEFAULT,
  newRecord,
  readConfig,
  Secret,
  writeRecord,
} from './secret.ts';
import type { SecretRecord } from './secret-record.ts';

/**
 * Adds a version: two records, the data and what is kept beside it. Versions over the bound go, the
 * oldest first.
 *
 * @returns what the caller is told.
 */
export function writeVersion(
  context: Pick<WriteContext, 'storage' | 'nowMs' | 'mount'>,
  path: string,
  data: Uint8Array,
  cas: number | undefined,
) {
  const { storage, nowMs, mount } = context;
  const secret = new Secret(storage, mount, path);
  const config = readConfig(storage, mount);
  const before = secret.record();
  checkAndSet(before, config, cas);
  const base = before ?? newRecord(nowMs);
  const version = base.currentVersion + 1;
  const endsAfterMs = lesser(base.deleteVersionAfterMs, config.deleteVersionAfterMs);
  const made = {
    version,
    createdAtMs: nowMs,
    deletedAtMs: endsAfterMs === 0 ? 0 : nowMs + endsAfterMs,
    destroyed: false,
  };
  // As Vault has it: a secret may keep more than its mount says, not fewer.
  const keptMax = Math.max(base.maxVersions, config.maxVersions) || MAX_VERSIONS_DEFAULT;
  const versions = [...base.versions, made];
  const dropped = versions.splice(0, Math.max(0, versions.length - keptMax));
  for (const one of dropped) dropData(storage, mount, secret, one.version);
  storage.put(mount.area(kinds.data), secret.dataPath(version), data);
  const record: SecretRecord = {
    ...base,
    updatedAtMs: nowMs,
    currentVersion: version,
    versions,
    change: 'put',
    changedVersions: [version],
  };
  writeRecord(storage, mount, secret, record);
  return { version: made, customMetadata: record.customMetadata };
}

/** Of two durations where 0 means none is set. */
function lesser(a: number, b: number): number {
  return a === 0 || b === 0 ? a || b : Math.min(a, b);
}

export function dropData(
  storage: StorageTransaction,
  mount: MountRef,
  secret: Secret<StorageTransaction>,
  version: number,
): void {
  storage.delete(mount.area(kinds.data), secret.dataPath(version));
}
