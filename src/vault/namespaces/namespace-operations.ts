import { fromHex, hasCode, hex, StrongroomError } from '../../lib/index.ts';
import { defineOperation, type Operation, type ProcedureContext } from '../define-operation.ts';
import type { MessageSpec } from '../operation.ts';
import { checkName, isReserved, namespaceSegments, pathSegments } from '../paths.ts';
import { decodeRecord, encodeRecord, ROOT_NAMESPACE, systemArea, systemKind } from '../places.ts';
import { putDefaultPolicy } from '../policies/default-policy.ts';
import type { VaultBackend } from '../ports.ts';
import { pageFields, pageOf, revision } from '../revision-field.ts';
import type { StorageTransaction, StorageView } from '../storage/storage.ts';
import type { NamespaceDeletion } from './namespace-deletion.ts';
import type { NamespaceRecord, NamespaceRef } from './namespace-record.ts';
import { notFound } from './namespace-registry.ts';

const UUID_BYTES = 16;
const records = systemArea(ROOT_NAMESPACE, systemKind.namespace);
const ids = systemArea(ROOT_NAMESPACE, systemKind.namespaceId);
const deletions = systemArea(ROOT_NAMESPACE, systemKind.deletion);

const request = {
  path: { type: 'string', max: 1024, about: "Relative to the request's namespace" },
} as const satisfies MessageSpec;
const response = {
  revision,
  id: { type: 'string', about: 'Never changes, never used again' },
  path: { type: 'string', about: 'From the root' },
} as const satisfies MessageSpec;
const { revision: _, ...namespaceFields } = response;
const listRequest = pageFields satisfies MessageSpec;
const listResponse = {
  revision,
  namespaces: { type: { list: { message: { revision, ...namespaceFields } } }, about: 'Sorted' },
  more: { type: 'bool', about: 'There are more after the last' },
} as const satisfies MessageSpec;
const change = { revision } as const satisfies MessageSpec;

const PATH = 'sys/namespaces/{path}';

/** `namespace.create`, `get`, `list`, `delete`. */
export function namespaceOperations(
  backend: VaultBackend,
  deletion: NamespaceDeletion,
): readonly Operation[] {
  return [
    defineOperation({
      name: 'namespace.create',
      summary: 'Makes a namespace with a key, policies and mounts of its own',
      pathTemplate: PATH,
      capability: 'update',
      request,
      response,
      run: {
        kind: 'procedure',
        handle: (context, { path }) => create(backend, context, fullPath(context.namespace, path)),
      },
    }),
    defineOperation({
      name: 'namespace.get',
      summary: 'Whether a namespace exists, and its id',
      pathTemplate: PATH,
      capability: 'read',
      request,
      response,
      run: {
        kind: 'read',
        handle({ storage, namespace }, { path }) {
          const full = fullPath(namespace, path);
          const found = read(storage, full);
          if (found === undefined || found.deleting === true) throw notFound();
          return { id: found.uuid, path: full.join('/') };
        },
      },
    }),
    defineOperation({
      name: 'namespace.list',
      summary: 'Namespaces directly below this one',
      pathTemplate: 'sys/namespaces',
      capability: 'list',
      request: listRequest,
      response: listResponse,
      run: {
        kind: 'read',
        async handle({ storage, namespace }, page) {
          const above = namespaceSegments(namespace.path);
          return listed(storage, above, pageOf(page));
        },
      },
    }),
    defineOperation({
      name: 'namespace.delete',
      summary: "Destroys a namespace's key, and with it everything inside",
      pathTemplate: PATH,
      capability: 'delete',
      request,
      response: change,
      run: {
        kind: 'procedure',
        handle: (context, { path }) => remove(deletion, context, fullPath(context.namespace, path)),
      },
    }),
  ];
}

/** One page; what is being deleted and the folders of nested ones do not count. */
async function listed(
  storage: StorageView,
  above: readonly string[],
  page: { readonly after?: string; readonly limit: number },
) {
  const namespaces: { readonly id: string; readonly path: string }[] = [];
  let { after } = page;
  for (;;) {
    const wanted = page.limit - namespaces.length;
    const listing = await storage.list(records, above, {
      ...(after === undefined ? {} : { after }),
      limit: wanted,
    });
    for (const name of listing.names) {
      after = name;
      // A namespace with others inside is listed as itself and as a folder.
      const found = name.endsWith('/') ? undefined : read(storage, [...above, name]);
      if (found === undefined || found.deleting === true) continue;
      namespaces.push({ id: found.uuid, path: [...above, name].join('/') });
    }
    if (!listing.more || namespaces.length >= page.limit) {
      return { namespaces, more: listing.more };
    }
  }
}

/**
 * Policies of the parent say `name/...` for what is inside the namespace, and for what is in a mount
 * of that name: one of the two would be reached by rules that were meant for the other.
 */
async function refuseNameOfMount(
  storage: StorageView,
  parent: NamespaceRecord | undefined,
  name: string,
): Promise<void> {
  const inUse = (why: string) =>
    new StrongroomError('namespace.exists', `Cannot make the namespace: ${why}`);
  if (isReserved(name))
    throw inUse('policies could not tell this name from paths of the vault itself');
  const uuid = parent === undefined ? ROOT_NAMESPACE : fromHex(parent.uuid);
  const mounts = systemArea(uuid, systemKind.mount);
  const below = await storage.list(mounts, [name], { limit: 1 });
  if (storage.get(mounts, [name]) !== undefined || below.names.length > 0) {
    throw inUse('an engine is mounted under this name, and policies could not tell them apart');
  }
}

async function create(backend: VaultBackend, context: ProcedureContext, full: readonly string[]) {
  const uuid = context.random.bytes(UUID_BYTES);
  const check = async (storage: StorageView) => {
    if (read(storage, full) !== undefined) {
      throw new StrongroomError(
        'namespace.exists',
        'Cannot make the namespace: there is one of this name, or it is still being deleted',
      );
    }
    const parent = full.slice(0, -1);
    const above = parent.length === 0 ? undefined : read(storage, parent);
    if (parent.length > 0 && (above === undefined || above.deleting === true)) throw notFound();
    await refuseNameOfMount(storage, above, full.at(-1) ?? '');
  };
  // First without a key, so that a name that is taken costs nothing.
  await context.transact(check);
  await backend.namespaceKeys.create(uuid);
  const answer = { id: hex(uuid), path: full.join('/') };
  try {
    await context.transact(
      async (storage) => {
        await check(storage);
        const record: NamespaceRecord = { uuid: hex(uuid), createdAtMs: context.nowMs };
        storage.put(records, full, encodeRecord(record));
        storage.put(ids, [hex(uuid)], encodeRecord({ path: full.join('/') }));
        await putDefaultPolicy(storage, uuid);
      },
      { answer: () => answer },
    );
  } catch (error) {
    // Only where it is sure that nothing was made: a namespace without its key would be lost, a key
    // without a namespace costs a few bytes.
    if (hasCode(error, 'namespace.exists', 'namespace.not-found', 'store.conflict')) {
      await backend.namespaceKeys.destroy(uuid);
    }
    throw error;
  }
  return answer;
}

async function remove(
  deletion: NamespaceDeletion,
  context: ProcedureContext,
  full: readonly string[],
) {
  const mark = async (storage: StorageTransaction) => {
    const found = read(storage, full);
    if (found === undefined) throw notFound();
    const below = await storage.list(records, full, { limit: 1 });
    if (below.names.length > 0) {
      throw new StrongroomError(
        'namespace.not-empty',
        'Cannot delete the namespace: there are namespaces inside it, delete those first',
      );
    }
    storage.put(records, full, encodeRecord({ ...found, deleting: true }));
    storage.put(deletions, [found.uuid], encodeRecord({ path: full.join('/') }));
    return found.uuid;
  };
  // From here on nothing in it is served, and a retry finds it done.
  const { result: uuid } = await context.transact(mark, { answer: () => ({}) });
  await deletion.finish(uuid, full.join('/'));
  return {};
}

/** From the root; every segment is a name as policies and URLs can carry it. */
function fullPath(namespace: NamespaceRef, path: string): readonly string[] {
  const relative = pathSegments(path, 'path').map((segment) => checkName(segment, 'path'));
  return namespaceSegments([namespace.path, ...relative].filter((part) => part !== '').join('/'));
}

function read(storage: StorageView, full: readonly string[]): NamespaceRecord | undefined {
  const bytes = storage.get(records, full);
  return bytes === undefined ? undefined : decodeRecord<NamespaceRecord>(bytes);
}
