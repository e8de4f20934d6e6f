import { sealedRange } from '../barrier/index.ts';
import { StrongroomError } from '../lib/index.ts';
import type { Revision } from '../store/index.ts';
import { pathForPolicies } from './authorise.ts';
import type { EnginePlugin, RecordChange } from './engine-plugin.ts';
import type { MountRef } from './mounts/mount-record.ts';
import { notMounted } from './mounts/mount-table.ts';
import { checkPolicyPath, folderSegments } from './paths.ts';
import type { PipelineParts } from './pipeline-parts.ts';
import { permissionDenied } from './tokens/authenticator.ts';
import type { Caller } from './tokens/caller.ts';
import type { SecretEvent, Vault } from './vault.ts';

type WatchRequest = Parameters<Vault['watch']>[0];

/**
 * Changes below a path as the engine tells them. The right to see them is asked for again with each
 * batch: a token that is revoked ends its watches.
 */
export async function* watchSecrets(
  parts: PipelineParts,
  engines: readonly EnginePlugin[],
  request: WatchRequest,
): AsyncGenerator<{ readonly events: readonly SecretEvent[]; readonly revision: number }> {
  const { backend, namespaces, records, clock } = parts;
  records.barrier();
  await backend.freshen(request.consistency ?? { kind: 'linearizable' }, request.signal);
  if (request.afterRevision > backend.store.revision) {
    // Of a node that is ahead of this one: wait. Of another cluster, or from before a restore: refuse,
    // or all that happens until then would be passed over in silence.
    const seen = { kind: 'at-least', revision: request.afterRevision } as const;
    await backend.freshen(seen, request.signal);
  }
  const namespace = namespaces.resolve(request.namespace);
  const { engine, mount, watching } = find(parts, engines, request);
  const folder = folderSegments(request.path, 'path');
  const pathOf = (caller: Caller, folder: string) =>
    pathForPolicies(caller, namespace, checkPolicyPath(watching.policyPath(mount, folder)));
  const mayRead = (caller: Caller, path: string) =>
    caller.acl.allows({
      path: pathOf(caller, path),
      capability: 'read',
      sudo: false,
      parameters: () => ({}),
    });
  const bare = folder.join('/');
  const authorise = () => {
    const caller = parts.authenticator.authenticate(request.token, namespace, clock.wallMs());
    // Uses are counted where writes are made; a watch would go uncounted.
    const isCounted = caller.record.usesLeft !== 0;
    const may = mayRead(caller, bare) || (bare !== '' && mayRead(caller, `${bare}/`));
    if (isCounted || !may) throw permissionDenied();
    return caller;
  };
  const caller = authorise();
  await parts.auditor.request({
    operation: watchOperation(engine),
    namespace,
    pathTemplate: watching.pathTemplate,
    caller,
    payload: { mount: request.mount, path: request.path },
    correlationId: request.correlationId,
    remoteAddress: request.remoteAddress,
    nowMs: clock.wallMs(),
  });
  const area = mount.area(watching.kind);
  const prefix =
    folder.length === 0
      ? sealedRange(namespace.uuid, mount.uuid, watching.kind).start
      : records.barrier().sealPlace({ ...area, path: folder });
  const from = (
    request.afterRevision === 0 ? backend.store.revision + 1 : request.afterRevision + 1
  ) as Revision;
  // At once: whoever watches knows that it does, and where to go on when it is cut off before the
  // first change. From "now" it would miss what happens until then.
  yield { events: [], revision: from - 1 };
  for await (const batch of backend.store.watch(prefix, from, request.signal)) {
    const watcher = authorise();
    const barrier = records.barrier();
    const events: SecretEvent[] = [];
    let revision = 0;
    for (const event of batch) {
      revision = event.revision;
      if (event.kind === 'progress') continue;
      const place = barrier.openPlace(event.key);
      const change: RecordChange = {
        path: place.path,
        value: event.kind === 'put' ? barrier.openValue(place, event.value) : undefined,
        revision: event.revision,
      };
      // A folder may hold secrets that another rule denies.
      for (const told of watching.events(change))
        if (mayRead(watcher, told.path)) events.push(told);
    }
    yield { events, revision };
  }
}

function find(parts: PipelineParts, engines: readonly EnginePlugin[], request: WatchRequest) {
  const namespace = parts.namespaces.resolve(request.namespace);
  for (const engine of engines) {
    if (engine.watching === undefined) continue;
    let mount: MountRef;
    try {
      mount = parts.mounts.find(namespace, request.mount, engine.type);
    } catch (error) {
      if (error instanceof StrongroomError && error.code === 'mount.not-found') continue;
      throw error;
    }
    return { engine, mount, watching: engine.watching };
  }
  // Who has no rights is not told which mounts there are.
  const caller = parts.authenticator.authenticate(request.token, namespace, parts.clock.wallMs());
  throw caller.acl.isRoot ? notMounted('kv') : permissionDenied();
}

function watchOperation(engine: EnginePlugin) {
  const [first] = engine.operations;
  if (first === undefined) throw permissionDenied();
  return { ...first, name: 'watch.watch' };
}
