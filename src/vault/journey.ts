import type { Operation } from './define-operation.ts';
import type { MountRef } from './mounts/mount-record.ts';
import { notMounted } from './mounts/mount-table.ts';
import type { NamespaceRef } from './namespaces/namespace-record.ts';
import type { PipelineParts } from './pipeline-parts.ts';
import type { StorageTransaction, StorageView } from './storage/storage.ts';
import type { Caller } from './tokens/caller.ts';
import type { VaultRequest } from './vault.ts';

type Plain = Readonly<Record<string, unknown>>;

/** A request on its way, with what was found out about it so far. */
export interface Journey {
  readonly request: VaultRequest;
  readonly operation: Operation;
  readonly payload: Plain;
  readonly namespace: NamespaceRef;
  readonly policyPath: string;
  readonly nowMs: number;
}

export interface AuthorisedJourney extends Journey {
  readonly caller: Caller;
  readonly mount: MountRef | undefined;
  readonly dependsOnExistence: boolean;
}

/** Not to be spread: `mount` throws for operations of no engine. */
export function contextOf<Storage extends StorageView | StorageTransaction | undefined>(
  parts: PipelineParts,
  journey: AuthorisedJourney,
  storage: Storage,
) {
  const { mount, operation } = journey;
  return {
    storage,
    log: parts.log,
    signal: journey.request.signal,
    nowMs: journey.nowMs,
    namespace: journey.namespace,
    caller: journey.caller,
    random: parts.random,
    get mount(): MountRef {
      if (mount === undefined) throw notMounted(operation.engine ?? 'none');
      return mount;
    },
  };
}

/** The answer with the revision that it was read at or made, unless it says one itself. */
export function withRevision(answer: Plain, revision: number | undefined): Plain {
  return revision === undefined || answer['revision'] !== undefined
    ? answer
    : { ...answer, revision };
}
