import { StrongroomError } from '../../lib/index.ts';
import { defineOperation, type Operation, type WriteContext } from '../../vault/index.ts';
import * as messages from './messages.ts';
import {
  checkCustomMetadata,
  DELETE_AFTER_MS_MAX,
  kinds,
  MAX_VERSIONS_MAX,
  type MountConfig,
  newRecord,
  readConfig,
  Secret,
  secretNotFound,
  writeConfig,
  writeRecord,
} from './secret.ts';
import type { SecretRecord } from './secret-record.ts';

const METADATA = '{mount}/metadata/{path}';
const engine = 'kv';

interface Settings {
  readonly maxVersions: number | undefined;
  readonly casRequired: boolean | undefined;
  readonly deleteVersionAfterMs: number | undefined;
}

interface MetadataRequest extends Settings {
  readonly path: string;
  readonly customMetadata:
    | {
        readonly entries: Readonly<Record<string, string>>;
        readonly remove: readonly string[];
      }
    | undefined;
}

/** What is kept beside secrets, and what a mount's secrets are kept by. */
export function metadataOperations(): readonly Operation[] {
  return [getMetadata(), ...writeMetadata(), deleteMetadata(), ...config()];
}

function getMetadata(): Operation {
  return defineOperation({
    name: 'kv.getMetadata',
    summary: 'Versions and metadata of a secret, without its data',
    pathTemplate: METADATA,
    capability: 'read',
    engine,
    request: messages.placeRequest,
    response: messages.metadataResponse,
    run: {
      kind: 'read',
      handle({ storage, mount }, { path }) {
        const {
          change: _,
          changedVersions: __,
          ...record
        } = new Secret(storage, mount, path).requireRecord();
        return { ...record, oldestVersion: record.versions[0]?.version ?? 0 };
      },
    },
  });
}

function writeMetadata(): readonly Operation[] {
  return [
    defineOperation({
      name: 'kv.putMetadata',
      summary: 'Sets metadata; makes the secret without a version if it is not there',
      pathTemplate: METADATA,
      capability: 'create-or-update',
      engine,
      exists: (storage, mount, { path }) => new Secret(storage, mount, path).isThere(),
      request: messages.putMetadataRequest,
      response: messages.changeResponse,
      run: {
        kind: 'write',
        handle: (context, request) =>
          update(context, request, (record) => record ?? newRecord(context.nowMs), false),
      },
    }),
    defineOperation({
      name: 'kv.patchMetadata',
      summary: 'Changes some metadata of a secret that is there',
      pathTemplate: METADATA,
      capability: 'patch',
      engine,
      request: messages.putMetadataRequest,
      response: messages.changeResponse,
      run: {
        kind: 'write',
        handle: (context, request) =>
          update(
            context,
            request,
            (record) => {
              if (record === undefined) throw secretNotFound();
              return record;
            },
            true,
          ),
      },
    }),
  ];
}

function update(
  context: WriteContext,
  request: MetadataRequest,
  from: (record: SecretRecord | undefined) => SecretRecord,
  merges: boolean,
): Record<string, never> {
  const { storage, mount, nowMs } = context;
  const secret = new Secret(storage, mount, request.path);
  const before = from(secret.record());
  const custom = request.customMetadata;
  const customMetadata = new Map(
    Object.entries(custom === undefined || merges ? before.customMetadata : {}),
  );
  for (const [key, value] of Object.entries(custom?.entries ?? {})) customMetadata.set(key, value);
  if (merges) for (const key of custom?.remove ?? []) customMetadata.delete(key);
  const entries = Object.fromEntries(customMetadata);
  checkCustomMetadata(entries);
  writeRecord(storage, mount, secret, {
    ...withSettings(before, request),
    customMetadata: entries,
    updatedAtMs: nowMs,
    change: 'metadata',
    changedVersions: [before.currentVersion],
  });
  return {};
}

function deleteMetadata(): Operation {
  return defineOperation({
    name: 'kv.deleteMetadata',
    summary: 'Removes a secret with all its versions and its history',
    pathTemplate: METADATA,
    capability: 'delete',
    engine,
    request: messages.placeRequest,
    response: messages.changeResponse,
    run: {
      kind: 'write',
      handle({ storage, mount }, { path }) {
        const secret = new Secret(storage, mount, path);
        const record = secret.record();
        if (record === undefined) return {};
        for (const { version } of record.versions) {
          storage.delete(mount.area(kinds.data), secret.dataPath(version));
        }
        storage.delete(mount.area(kinds.metadata), secret.metadataPath);
        return {};
      },
    },
  });
}

function config(): readonly Operation[] {
  return [
    defineOperation({
      name: 'kv.getConfig',
      summary: "What the mount's secrets are kept by",
      pathTemplate: '{mount}/config',
      capability: 'read',
      engine,
      request: messages.getConfigRequest,
      response: messages.configResponse,
      run: { kind: 'read', handle: ({ storage, mount }) => ({ ...readConfig(storage, mount) }) },
    }),
    defineOperation({
      name: 'kv.putConfig',
      summary: "Sets what the mount's secrets are kept by",
      pathTemplate: '{mount}/config',
      capability: 'update',
      engine,
      request: messages.putConfigRequest,
      response: messages.changeResponse,
      run: {
        kind: 'write',
        handle({ storage, mount }, request) {
          writeConfig(storage, mount, withSettings(readConfig(storage, mount), request));
          return {};
        },
      },
    }),
  ];
}

function withSettings<T extends MountConfig>(before: T, asked: Settings): T {
  if ((asked.maxVersions ?? 0) > MAX_VERSIONS_MAX) {
    throw new StrongroomError(
      'request.invalid',
      `Cannot keep so many versions of a secret: maxVersions is at most ${MAX_VERSIONS_MAX}`,
    );
  }
  if ((asked.deleteVersionAfterMs ?? 0) > DELETE_AFTER_MS_MAX) {
    throw new StrongroomError(
      'request.invalid',
      `Cannot keep versions so long: deleteVersionAfterMs is at most ${DELETE_AFTER_MS_MAX}, a hundred years; 0 is for ever`,
    );
  }
  return {
    ...before,
    maxVersions: asked.maxVersions ?? before.maxVersions,
    casRequired: asked.casRequired ?? before.casRequired,
    deleteVersionAfterMs: asked.deleteVersionAfterMs ?? before.deleteVersionAfterMs,
  };
}
