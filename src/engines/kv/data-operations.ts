import { StrongroomError, utf8Bytes, utf8Text } from '../../lib/index.ts';
import { defineOperation, folderSegments, type Operation, pageOf } from '../../vault/index.ts';
import { mergePatch } from './merge-patch.ts';
import * as messages from './messages.ts';
import {
  checkAndSet,
  checkData,
  isDeleted,
  kinds,
  readConfig,
  Secret,
  secretNotFound,
  versionNotFound,
  versionOf,
} from './secret.ts';
import { writeVersion } from './write-version.ts';

const DATA = '{mount}/data/{path}';
const engine = 'kv';

/** Reading and writing secrets. */
export function dataOperations(): readonly Operation[] {
  return [put(), patch(), get(), list(), rollback()];
}

function put(): Operation {
  return defineOperation({
    name: 'kv.put',
    summary: 'Writes a new version of a secret',
    pathTemplate: DATA,
    capability: 'create-or-update',
    engine,
    exists: (storage, mount, { path }) => new Secret(storage, mount, path).isThere(),
    request: messages.putRequest,
    response: messages.putResponse,
    run: {
      kind: 'write',
      handle(context, { path, data, cas }) {
        checkData(data);
        return writeVersion(context, path, data, cas);
      },
    },
  });
}

function patch(): Operation {
  return defineOperation({
    name: 'kv.patch',
    summary: 'Changes some fields of a secret (JSON merge patch), as a new version',
    pathTemplate: DATA,
    capability: 'patch',
    engine,
    request: messages.putRequest,
    response: messages.putResponse,
    run: {
      kind: 'write',
      handle(context, { path, data, cas }) {
        const { storage, mount, nowMs } = context;
        checkData(data);
        const secret = new Secret(storage, mount, path);
        const record = secret.requireRecord();
        checkAndSet(record, readConfig(storage, mount), cas);
        const current = versionOf(record, record.currentVersion);
        const present =
          current === undefined || isDeleted(current, nowMs)
            ? undefined
            : secret.data(record.currentVersion);
        if (present === undefined) throw secretNotFound();
        const merged = utf8Bytes(mergePatch(utf8Text(present), utf8Text(data)));
        if (merged.length > messages.DATA_BYTES_MAX) {
          throw new StrongroomError(
            'request.too-large',
            `Cannot patch the secret: it would have over ${messages.DATA_BYTES_MAX} bytes`,
          );
        }
        return writeVersion(context, path, merged, record.currentVersion);
      },
    },
  });
}

function get(): Operation {
  return defineOperation({
    name: 'kv.get',
    summary: 'Reads a secret',
    pathTemplate: DATA,
    capability: 'read',
    engine,
    request: messages.getRequest,
    response: messages.getResponse,
    run: {
      kind: 'read',
      handle({ storage, mount, nowMs }, request) {
        const secret = new Secret(storage, mount, request.path);
        const record = secret.requireRecord();
        const wanted = request.version === 0 ? record.currentVersion : request.version;
        const version = versionOf(record, wanted);
        if (version === undefined) throw wanted === 0 ? secretNotFound() : versionNotFound();
        const data = isDeleted(version, nowMs) ? undefined : secret.data(wanted);
        return {
          version,
          customMetadata: record.customMetadata,
          ...(data === undefined ? {} : { data }),
        };
      },
    },
  });
}

function list(): Operation {
  return defineOperation({
    name: 'kv.list',
    summary: 'Names directly below a folder',
    pathTemplate: '{mount}/metadata/{path}',
    policyPath: ({ mount, path }) =>
      `${mount}/metadata/${path === '' || path.endsWith('/') ? path : `${path}/`}`,
    capability: 'list',
    engine,
    request: messages.listRequest,
    response: messages.listResponse,
    run: {
      kind: 'read',
      async handle({ storage, mount }, request) {
        const folder = folderSegments(request.path, 'path');
        const { names, more } = await storage.list(
          mount.area(kinds.metadata),
          folder,
          pageOf(request),
        );
        return { names, more };
      },
    },
  });
}

function rollback(): Operation {
  return defineOperation({
    name: 'kv.rollback',
    summary: 'Writes the data of an older version as the newest',
    pathTemplate: DATA,
    capability: 'update',
    engine,
    request: messages.rollbackRequest,
    response: messages.putResponse,
    run: {
      kind: 'write',
      handle(context, request) {
        const { storage, mount, nowMs } = context;
        const secret = new Secret(storage, mount, request.path);
        const record = secret.requireRecord();
        const version = versionOf(record, request.version);
        if (version === undefined) throw versionNotFound();
        const data = isDeleted(version, nowMs) ? undefined : secret.data(request.version);
        if (data === undefined) {
          throw new StrongroomError(
            'kv.version-deleted',
            'Cannot roll back: that version is deleted or destroyed; undelete it, or choose another',
          );
        }
        return writeVersion(context, request.path, data, record.currentVersion);
      },
    },
  });
}
