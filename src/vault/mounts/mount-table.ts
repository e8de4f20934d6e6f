import { StrongroomError } from '../../lib/index.ts';
import type { NamespaceRef } from '../namespaces/namespace-record.ts';
import { pathSegments } from '../paths.ts';
import { decodeRecord, SYSTEM_MOUNT, systemKind } from '../places.ts';
import type { RecordCache, RecordKind } from '../record-cache.ts';
import { type MountRecord, type MountRef, mountRef } from './mount-record.ts';

/** Finds the mount that a request names. */
export class MountTable {
  readonly #records: RecordCache;
  readonly #kinds = new WeakMap<NamespaceRef, RecordKind<MountRef>>();

  constructor(records: RecordCache) {
    this.#records = records;
  }

  /**
   * @throws StrongroomError `request.invalid`, `mount.not-found` also when another engine is there.
   */
  find(namespace: NamespaceRef, path: string, engine: string): MountRef {
    // Taken as it stands: the policy was asked about this very spelling.
    const mount = this.#records.read(this.#kindOf(namespace), path);
    if (mount === undefined || mount.type !== engine) throw notMounted(engine);
    return mount;
  }

  #kindOf(namespace: NamespaceRef): RecordKind<MountRef> {
    let kind = this.#kinds.get(namespace);
    if (kind === undefined) {
      kind = kindOf(namespace);
      this.#kinds.set(namespace, kind);
    }
    return kind;
  }
}

function kindOf(namespace: NamespaceRef): RecordKind<MountRef> {
  return {
    prefix: `mount:${namespace.path}:`,
    place: (path) => ({
      namespace: namespace.uuid,
      mount: SYSTEM_MOUNT,
      kind: systemKind.mount,
      path: pathSegments(path, 'mount'),
    }),
    decode: (bytes, path) => mountRef(namespace.uuid, path, decodeRecord<MountRecord>(bytes)),
  };
}

export function notMounted(engine: string): StrongroomError {
  return new StrongroomError(
    'mount.not-found',
    `Cannot route the request: no engine of type "${engine}" is mounted under this name`,
  );
}
