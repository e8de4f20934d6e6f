import type { Uuid } from '../../barrier/index.ts';
import { hex, type Random, StrongroomError } from '../../lib/index.ts';
import { defineOperation, type Operation } from '../define-operation.ts';
import type { EnginePlugin } from '../engine-plugin.ts';
import type { NamespaceRef } from '../namespaces/namespace-record.ts';
import type { MessageSpec } from '../operation.ts';
import { isReserved, namespaceSegments, pathSegments } from '../paths.ts';
import { decodeRecord, encodeRecord, ROOT_NAMESPACE, systemArea, systemKind } from '../places.ts';
import { revision } from '../revision-field.ts';
import type { StorageTransaction, StorageView } from '../storage/storage.ts';
import { type MountRecord, mountRef } from './mount-record.ts';

const UUID_BYTES = 16;
const MOUNTS_MAX = 1000;

const path = { type: 'string', max: 512, about: 'Where: "secret", without a final "/"' } as const;
const type = { type: 'string', max: 64, about: 'Type of the engine, such as "kv"' } as const;
const description = { type: 'string', max: 512, about: 'For people' } as const;
const options = { type: 'map', max: 32, about: "The engine's own options" } as const;
const mountRequest = { path, type, description, options } as const satisfies MessageSpec;
const mountResponse = {
  revision,
  id: { type: 'string', about: 'Never changes' },
  path,
  type,
  description,
  options,
} as const satisfies MessageSpec;
const listRequest = {} as const satisfies MessageSpec;
const listResponse = {
  revision,
  mounts: { type: { list: { message: mountResponse } }, about: 'Sorted by path' },
} as const satisfies MessageSpec;
const change = { revision } as const satisfies MessageSpec;

/** `namespace.listMounts`, `mount`, `unmount`. */
export function mountOperations(engines: readonly EnginePlugin[]): readonly Operation[] {
  return [
    defineOperation({
      name: 'namespace.listMounts',
      summary: 'Engines of the namespace',
      pathTemplate: 'sys/mounts',
      capability: 'read',
      request: listRequest,
      response: listResponse,
      run: {
        kind: 'read',
        async handle({ storage, namespace }) {
          const mounts = [];
          for await (const found of storage.walk(
            systemArea(namespace.uuid, systemKind.mount),
            [],
          )) {
            mounts.push(described(found.path.join('/'), decodeRecord<MountRecord>(found.value)));
          }
          return { mounts: mounts.sort((a, b) => (a.path < b.path ? -1 : 1)) };
        },
      },
    }),
    defineOperation({
      name: 'namespace.mount',
      summary: 'Mounts an engine',
      pathTemplate: 'sys/mounts/{path}',
      capability: 'update',
      needsSudo: () => false,
      request: mountRequest,
      response: mountResponse,
      run: {
        kind: 'write',
        handle({ storage, namespace, nowMs, random }, asked) {
          refuseNameOfNamespace(storage, namespace, asked.path);
          return addMount(storage, { ...asked, engines, namespace: namespace.uuid, nowMs, random });
        },
      },
    }),
    defineOperation({
      name: 'namespace.unmount',
      summary: 'Removes an engine with everything in it',
      pathTemplate: 'sys/mounts/{path}',
      capability: 'delete',
      request: mountRequest,
      response: change,
      run: {
        kind: 'write',
        handle({ storage, namespace }, asked) {
          const area = systemArea(namespace.uuid, systemKind.mount);
          const segments = pathSegments(asked.path, 'path');
          const bytes = storage.get(area, segments);
          if (bytes === undefined) throw notThere();
          const record = decodeRecord<MountRecord>(bytes);
          const mount = mountRef(namespace.uuid, asked.path, record);
          const engine = engines.find((one) => one.type === record.type);
          for (const kind of engine?.recordKinds ?? []) storage.deleteBelow(mount.area(kind), []);
          storage.delete(area, segments);
          return {};
        },
      },
    }),
  ];
}

/** @throws StrongroomError `mount.in-use`, `mount.unknown-type`, `request.invalid` */
export async function addMount(
  storage: StorageTransaction,
  asked: {
    readonly path: string;
    readonly type: string;
    readonly description: string;
    readonly options: Readonly<Record<string, string>>;
    readonly engines: readonly EnginePlugin[];
    readonly namespace: Uuid;
    readonly nowMs: number;
    readonly random: Random;
  },
) {
  const segments = pathSegments(asked.path, 'path');
  const engine = asked.engines.find((one) => one.type === asked.type);
  if (engine === undefined) {
    const known = asked.engines.map((one) => one.type).join(', ');
    throw new StrongroomError(
      'mount.unknown-type',
      `Cannot mount the engine: its type is not known, known are: ${known}`,
    );
  }
  const area = systemArea(asked.namespace, systemKind.mount);
  await refuseOverlap(storage, area, segments);
  const record: MountRecord = {
    uuid: hex(asked.random.bytes(UUID_BYTES)),
    type: asked.type,
    description: asked.description,
    options: asked.options,
    createdAtMs: asked.nowMs,
  };
  storage.put(area, segments, encodeRecord(record));
  engine.mounted(storage, mountRef(asked.namespace, asked.path, record), asked.nowMs);
  return described(asked.path, record);
}

/** As `namespace.create` refuses the name of a mount. */
function refuseNameOfNamespace(storage: StorageView, namespace: NamespaceRef, path: string): void {
  const [first = ''] = pathSegments(path, 'path');
  const namespaces = systemArea(ROOT_NAMESPACE, systemKind.namespace);
  const full = [...namespaceSegments(namespace.path), first];
  if (storage.get(namespaces, full) === undefined) return;
  throw new StrongroomError(
    'mount.in-use',
    'Cannot mount the engine: a namespace has this name, and policies could not tell them apart',
  );
}

/** Two mounts never share a path, and none lies inside another. */
async function refuseOverlap(
  storage: StorageTransaction,
  area: ReturnType<typeof systemArea>,
  segments: readonly string[],
): Promise<void> {
  const inUse = (why: string) =>
    new StrongroomError('mount.in-use', `Cannot mount the engine: ${why}`);
  if (isReserved(segments[0] ?? '')) throw inUse('paths that begin so are reserved');
  for (let depth = 1; depth <= segments.length; depth++) {
    if (storage.get(area, segments.slice(0, depth)) !== undefined) {
      throw inUse('another is mounted at this path or above it');
    }
  }
  const below = await storage.list(area, segments, { limit: 1 });
  if (below.names.length > 0) throw inUse('another is mounted below this path');
  const all = await storage.list(area, [], { limit: MOUNTS_MAX });
  if (all.more) throw inUse(`there are ${MOUNTS_MAX} mounts already`);
}

function described(at: string, record: MountRecord) {
  return {
    id: record.uuid,
    path: at,
    type: record.type,
    description: record.description,
    options: record.options,
  };
}

function notThere(): StrongroomError {
  return new StrongroomError(
    'mount.not-found',
    'Cannot unmount: nothing is mounted under this path',
  );
}
