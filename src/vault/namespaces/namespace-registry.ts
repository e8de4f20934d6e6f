import type { Uuid } from '../../barrier/index.ts';
import { fromHex, hex, StrongroomError } from '../../lib/index.ts';
import { namespaceSegments } from '../paths.ts';
import { decodeRecord, ROOT_NAMESPACE, SYSTEM_MOUNT, systemKind } from '../places.ts';
import type { RecordCache, RecordKind } from '../record-cache.ts';
import type { NamespaceRecord, NamespaceRef } from './namespace-record.ts';

const byPath: RecordKind<{ readonly ref: NamespaceRef; readonly record: NamespaceRecord }> = {
  prefix: 'namespace:',
  dropsAll: true,
  place: (path) => ({
    namespace: ROOT_NAMESPACE,
    mount: SYSTEM_MOUNT,
    kind: systemKind.namespace,
    path: path.split('/'),
  }),
  decode(bytes, path) {
    const record = decodeRecord<NamespaceRecord>(bytes);
    return { record, ref: { uuid: fromHex(record.uuid), path } };
  },
};

const byId: RecordKind<string> = {
  prefix: 'namespace-id:',
  place: (id) => ({
    namespace: ROOT_NAMESPACE,
    mount: SYSTEM_MOUNT,
    kind: systemKind.namespaceId,
    path: [id],
  }),
  decode: (bytes) => decodeRecord<{ readonly path: string }>(bytes).path,
};

export const rootNamespace: NamespaceRef = { uuid: ROOT_NAMESPACE, path: '' };

/** Finds namespaces by path and by id. */
export class NamespaceRegistry {
  readonly #records: RecordCache;

  constructor(records: RecordCache) {
    this.#records = records;
  }

  /**
   * The namespace of a path as a client sends it.
   * @throws StrongroomError `request.invalid`, `namespace.not-found`
   */
  resolve(path: string): NamespaceRef {
    if (path === '') return rootNamespace;
    const bare = namespaceSegments(path).join('/');
    if (bare === '') return rootNamespace;
    const found = this.#records.read(byPath, bare);
    if (found === undefined || found.record.deleting === true) throw notFound();
    return found.ref;
  }

  /** Undefined when it is gone or being deleted. */
  byUuid(uuid: Uuid): NamespaceRef | undefined {
    if (uuid === ROOT_NAMESPACE) return rootNamespace;
    const id = hex(uuid);
    if (id === ROOT_ID) return rootNamespace;
    const path = this.#records.read(byId, id);
    if (path === undefined) return undefined;
    const found = this.#records.read(byPath, path);
    return found === undefined || found.record.deleting === true ? undefined : found.ref;
  }
}

const ROOT_ID = hex(ROOT_NAMESPACE);

export function notFound(): StrongroomError {
  return new StrongroomError(
    'namespace.not-found',
    'Cannot find the namespace: there is none of this name, or it is being deleted',
  );
}

/**
 * The path of `inner` as seen from `outer`; undefined when it is neither the same nor below.
 */
export function relativePath(outer: NamespaceRef, inner: NamespaceRef): string | undefined {
  if (outer.path === inner.path) return '';
  if (outer.path === '') return inner.path;
  return inner.path.startsWith(`${outer.path}/`)
    ? inner.path.slice(outer.path.length + 1)
    : undefined;
}
