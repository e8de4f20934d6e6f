import type { Clock, Random } from '../lib/index.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import type { Auditor } from './auditor.ts';
import type { Operation } from './define-operation.ts';
import type { MountTable } from './mounts/mount-table.ts';
import type { NamespaceRegistry } from './namespaces/namespace-registry.ts';
import type { VaultBackend } from './ports.ts';
import type { RecordCache } from './record-cache.ts';
import type { StoragePort } from './storage-port.ts';
import type { Authenticator } from './tokens/authenticator.ts';

/** What the way of a request is put together from. */
export interface PipelineParts {
  readonly operations: ReadonlyMap<string, Operation>;
  readonly backend: VaultBackend;
  readonly storage: StoragePort;
  readonly records: RecordCache;
  readonly namespaces: NamespaceRegistry;
  readonly mounts: MountTable;
  readonly authenticator: Authenticator;
  readonly auditor: Auditor;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}
