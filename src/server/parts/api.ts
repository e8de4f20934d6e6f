import { ServerCredentials } from '@grpc/grpc-js';
import {
  type ApiServer,
  createApiServer,
  type StreamCaller,
  type Tls13Credentials,
} from '../../api/index.ts';
import { StrongroomError } from '../../lib/index.ts';
import type { RunningVault } from '../../vault/index.ts';
import type { Admission } from '../cluster/admission.ts';
import type { Foundation } from '../foundation.ts';
import type { KeyringKeeper } from '../keys/keyring-keeper.ts';
import { ForeignSeals } from '../snapshots/foreign-seal.ts';
import { SnapshotKeeper } from '../snapshots/snapshot-keeper.ts';
import type { NodeBackend } from './backend.ts';

/** The API's server, not yet listening. */
export function openApi(
  foundation: Foundation,
  parts: {
    readonly vault: RunningVault;
    readonly backend: Pick<NodeBackend, 'duringRestore'>;
    readonly keyring: KeyringKeeper;
    readonly admission: Admission;
    readonly healthy: () => boolean;
    readonly onAuditHealth: (listener: () => void) => () => void;
    /** Undefined: plain text, for development. */
    readonly credentials: Tls13Credentials | undefined;
  },
): ApiServer {
  const { config, identity, store, participation, clock, random, log, metrics } = foundation;
  const { vault, backend, keyring } = parts;
  const { limits } = config;
  const foreignSeals = new ForeignSeals(foundation, keyring, parts.admission);
  const keeper = new SnapshotKeeper({
    store,
    commit: (transaction, signal) => participation.commit(transaction, signal),
    clusterId: identity.clusterId,
    folder: config.dataDir,
    survival: {
      keyOf: (token, nowMs) => backend.duringRestore(() => vault.survival.keyOf(token, nowMs)),
      survives: (key, nowMs) => backend.duringRestore(() => vault.survival.survives(key, nowMs)),
    },
    takeOver: (foreign, shares) => foreignSeals.takeOver(foreign, shares),
    clock,
    log,
  });
  if (parts.credentials === undefined) {
    log.warn({}, 'Clients speak plain text to this node: for development only');
  }
  return createApiServer({
    vault,
    snapshots: {
      async *save(caller) {
        await vault.authorise('cluster.saveSnapshot', caller);
        yield* keeper.save();
      },
      async restore(caller: StreamCaller, chunks, options) {
        if (!participation.isLeader()) {
          throw new StrongroomError(
            'raft.not-leader',
            'Cannot restore a snapshot here: only the leader can, ask it directly',
            { details: { leader: participation.leader() } },
          );
        }
        const { token, signal } = caller;
        // While half of a state is here no token can be looked up: who began may go on.
        if (keeper.mayGoOn(token)) log.warn({}, 'A restore that was cut short is run again');
        else await vault.authorise('cluster.restoreSnapshot', caller);
        return keeper.restore(chunks, { ...options, token, signal });
      },
    },
    health: {
      healthy: parts.healthy,
      onChange(listener) {
        const stops = [
          keyring.onBarrier(listener),
          participation.onLeading(listener),
          parts.onAuditHealth(listener),
        ];
        return () => {
          for (const stop of stops) stop();
        };
      },
    },
    credentials: parts.credentials ?? ServerCredentials.createInsecure(),
    bounds: {
      messageBytesMax: limits.requestBytesMax,
      nodeInFlightMax: limits.requestsInFlightMax,
      ...(limits.requestsPerSecondMax === undefined
        ? {}
        : { nodeCallsPerSecond: limits.requestsPerSecondMax }),
    },
    clock,
    random,
    log: log.child({ part: 'api' }),
    metrics,
  });
}
