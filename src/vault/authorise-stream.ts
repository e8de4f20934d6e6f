import { StrongroomError } from '../lib/index.ts';
import { authorise } from './authorise.ts';
import type { PipelineParts } from './pipeline-parts.ts';
import { permissionDenied } from './tokens/authenticator.ts';
import type { Caller } from './tokens/caller.ts';
import type { VaultRequest } from './vault.ts';

/** Asks for and audits the right to a stream. @throws StrongroomError */
export async function authoriseStream(
  parts: PipelineParts,
  name: string,
  request: Omit<VaultRequest, 'operation' | 'payload'>,
): Promise<void> {
  const operation = parts.operations.get(name);
  if (operation === undefined) {
    throw new StrongroomError('request.unknown-operation', 'There is no operation of this name');
  }
  parts.records.barrier();
  const namespace = parts.namespaces.resolve(request.namespace);
  const nowMs = parts.clock.wallMs();
  const audited = (caller: Caller | undefined) => ({
    operation,
    namespace,
    caller,
    payload: {},
    correlationId: request.correlationId,
    remoteAddress: request.remoteAddress,
    nowMs,
  });
  let caller: Caller | undefined;
  try {
    caller = parts.authenticator.authenticate(request.token, namespace, nowMs);
    if (operation.rootNamespaceOnly && namespace.path !== '') {
      throw new StrongroomError(
        'request.invalid',
        `Cannot run ${operation.name} in a namespace: it concerns the whole cluster`,
      );
    }
    // Uses are counted where writes are made; a stream that runs anywhere would go uncounted.
    if (caller.record.usesLeft !== 0) throw permissionDenied();
    authorise({
      operation,
      caller,
      namespace,
      policyPath: operation.policyPath({}),
      request: {},
      exists: () => true,
    });
  } catch (error) {
    await parts.auditor.request(audited(caller), error);
    throw error;
  }
  await parts.auditor.request(audited(caller));
}
