import type { Clock, Random } from '../lib/index.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import type { AuditSink } from './audit.ts';
import { Auditor } from './auditor.ts';
import { authoriseStream } from './authorise-stream.ts';
import { bootstrapVault, isBootstrapped } from './bootstrap.ts';
import { operationTable } from './define-operation.ts';
import type { EnginePlugin } from './engine-plugin.ts';
import { mountOperations } from './mounts/mount-operations.ts';
import { MountTable } from './mounts/mount-table.ts';
import { NamespaceDeletion } from './namespaces/namespace-deletion.ts';
import { namespaceOperations } from './namespaces/namespace-operations.ts';
import { NamespaceRegistry } from './namespaces/namespace-registry.ts';
import { Pipeline } from './pipeline.ts';
import type { PipelineParts } from './pipeline-parts.ts';
import { AclSource } from './policies/acl-source.ts';
import { policyOperations } from './policies/policy-operations.ts';
import { auditOperations } from './port-operations/audit-operations.ts';
import { clusterOperations } from './port-operations/cluster-operations.ts';
import { sealOperations } from './port-operations/seal-operations.ts';
import type { AuditPort, ClusterPort, SealPort, VaultBackend } from './ports.ts';
import { RecordCache } from './record-cache.ts';
import { storagePort } from './storage-port.ts';
import { Authenticator } from './tokens/authenticator.ts';
import { tokenOperations } from './tokens/token-operations.ts';
import { TokenReaper } from './tokens/token-reaper.ts';
import { TokenSurvival } from './tokens/token-survival.ts';
import { TransactionRunner } from './transaction-runner.ts';
import type { Vault, VaultRequest } from './vault.ts';
import { watchSecrets } from './watching.ts';

export interface VaultOptions {
  readonly backend: VaultBackend;
  readonly seal: SealPort;
  readonly cluster: ClusterPort;
  readonly audit: AuditPort;
  readonly sinks: readonly AuditSink[];
  readonly engines: readonly EnginePlugin[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** A vault, put together. */
export interface RunningVault extends Vault {
  /** Begins the work of a leader: ended tokens, unfinished deletions. Idle while another leads. */
  start(): void;
  stop(): Promise<void>;
  /** Takes up what an earlier leader left; call it when this node begins to lead. */
  lead(): void;
  /**
   * Makes what a new vault begins with: the key of token hashes, the default policy, the mount
   * `secret/`, and a root token. On the leader, unsealed, once.
   * @throws StrongroomError `seal.already-initialized`
   */
  bootstrap(): Promise<{ readonly rootToken: string }>;
  isBootstrapped(): boolean;
  /** Lets go of all that was read through the barrier: call it when the node is sealed. */
  forget(): void;
  /**
   * The right to a stream that goes past the operation table (a snapshot), asked and audited like
   * any operation. @throws StrongroomError
   */
  authorise(operation: string, request: Omit<VaultRequest, 'operation' | 'payload'>): Promise<void>;
  /** What is asked before an older state takes the place of this one. */
  readonly survival: TokenSurvival;
}

export function createVault(options: VaultOptions): RunningVault {
  const { backend, clock, random, log, metrics, engines } = options;
  const records = new RecordCache(backend.store, () => backend.barrier());
  const storage = storagePort(backend.store, records);
  const runner = new TransactionRunner(storage, (tx, signal) => backend.commit(tx, signal));
  const namespaces = new NamespaceRegistry(records);
  const acls = new AclSource(records);
  const authenticator = new Authenticator(records, namespaces, acls);
  const deletion = new NamespaceDeletion(backend, storage, runner);
  const reaper = new TokenReaper({ backend, runner, deletion, clock, log, metrics });
  const operations = operationTable([
    ...tokenOperations({ authenticator, revoked: () => reaper.wake() }),
    ...policyOperations(),
    ...namespaceOperations(backend, deletion),
    ...mountOperations(engines),
    ...sealOperations(options.seal),
    ...clusterOperations(options.cluster),
    ...auditOperations(options.audit),
    ...engines.flatMap((engine) => engine.operations),
  ]);
  const parts: PipelineParts = {
    operations,
    backend,
    storage,
    records,
    namespaces,
    mounts: new MountTable(records),
    authenticator,
    auditor: new Auditor(options.sinks, (value) => options.audit.hashOf(value)),
    clock,
    random,
    log,
    metrics,
  };
  const pipeline = new Pipeline(parts);
  const leading = new AbortController();
  return {
    operations,
    handle: (request) => pipeline.handle(request),
    watch: (request) => watchSecrets(parts, engines, request),
    survival: new TokenSurvival(records, namespaces, authenticator),
    authorise: (operation, request) => authoriseStream(parts, operation, request),
    bootstrap: () =>
      bootstrapVault({ backend, runner, engines, clock, random, signal: leading.signal }),
    isBootstrapped: () => isBootstrapped(storage),
    forget() {
      authenticator.forget();
      records.clear();
    },
    start: () => reaper.start(),
    lead: () => reaper.wake(),
    async stop() {
      leading.abort();
      await reaper.stop();
      records[Symbol.dispose]();
    },
  };
}
