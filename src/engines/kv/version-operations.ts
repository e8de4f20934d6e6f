import { defineOperation, type Operation, type WriteContext } from '../../vault/index.ts';
import * as messages from './messages.ts';
import { isDeleted, Secret, writeRecord } from './secret.ts';
import type { SecretRecord } from './secret-record.ts';
import { dropData } from './write-version.ts';

const engine = 'kv';

type Versions = SecretRecord['versions'];

/** Soft deletes, undeletes, destroys. A path or version that is not there is passed over. */
export function versionOperations(): readonly Operation[] {
  return [
    defineOperation({
      name: 'kv.delete',
      summary: 'Deletes the current version, so that it can be undeleted',
      pathTemplate: '{mount}/data/{path}',
      capability: 'delete',
      engine,
      request: messages.placeRequest,
      response: messages.changeResponse,
      run: {
        kind: 'write',
        handle: (context, { path }) =>
          change(context, path, 'delete', (record) =>
            softDelete(record, [record.currentVersion], context.nowMs),
          ),
      },
    }),
    defineOperation({
      name: 'kv.deleteVersions',
      summary: 'Deletes versions, so that they can be undeleted',
      pathTemplate: '{mount}/delete/{path}',
      capability: 'update',
      engine,
      request: messages.versionsRequest,
      response: messages.changeResponse,
      run: {
        kind: 'write',
        handle: (context, { path, versions }) =>
          change(context, path, 'delete', (record) => softDelete(record, versions, context.nowMs)),
      },
    }),
    defineOperation({
      name: 'kv.undelete',
      summary: 'Takes back a delete',
      pathTemplate: '{mount}/undelete/{path}',
      capability: 'update',
      engine,
      request: messages.versionsRequest,
      response: messages.changeResponse,
      run: {
        kind: 'write',
        handle: (context, { path, versions }) =>
          change(context, path, 'undelete', (record) =>
            record.versions.map((one) =>
              versions.includes(one.version) && !one.destroyed && one.deletedAtMs !== 0
                ? { ...one, deletedAtMs: 0 }
                : one,
            ),
          ),
      },
    }),
    defineOperation({
      name: 'kv.destroy',
      summary: 'Destroys the data of versions for good',
      pathTemplate: '{mount}/destroy/{path}',
      capability: 'update',
      engine,
      request: messages.versionsRequest,
      response: messages.changeResponse,
      run: {
        kind: 'write',
        handle: (context, { path, versions }) =>
          change(context, path, 'destroy', (record, secret) =>
            record.versions.map((one) => {
              if (!versions.includes(one.version) || one.destroyed) return one;
              dropData(context.storage, context.mount, secret, one.version);
              return { ...one, destroyed: true };
            }),
          ),
      },
    }),
  ];
}

function softDelete(record: SecretRecord, versions: readonly number[], nowMs: number): Versions {
  return record.versions.map((one) =>
    versions.includes(one.version) && !isDeleted(one, nowMs) ? { ...one, deletedAtMs: nowMs } : one,
  );
}

function change(
  context: WriteContext,
  path: string,
  kind: SecretRecord['change'],
  make: (record: SecretRecord, secret: Secret<WriteContext['storage']>) => Versions,
): Record<string, never> {
  const { storage, mount, nowMs } = context;
  const secret = new Secret(storage, mount, path);
  const record = secret.record();
  if (record === undefined) return {};
  const versions = make(record, secret);
  const changed = versions.filter((one, at) => one !== record.versions[at]);
  if (changed.length === 0) return {};
  writeRecord(storage, mount, secret, {
    ...record,
    versions,
    updatedAtMs: nowMs,
    change: kind,
    changedVersions: changed.map((one) => one.version),
  });
  return {};
}
