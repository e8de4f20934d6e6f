import { StrongroomError, withTimeout } from '../../lib/index.ts';
import type { RunningVault, VaultAnswer, VaultBackend, VaultRequest } from '../../vault/index.ts';
import type { Foundation } from '../foundation.ts';
import type { KeyringKeeper } from '../keys/keyring-keeper.ts';
import { RESTORING_RECORD } from '../snapshots/snapshot-keeper.ts';

/**
 * So many election timeouts. Most elections are over by then; a node that is cut off says so soon,
 * and its client asks another, which may know who leads.
 */
const LEADERLESS_TIMEOUTS = 1.5;

export interface NodeBackend extends VaultBackend {
  /** Lets the restore itself look at what is there, which nobody else may while it is under way. */
  duringRestore<T>(look: () => T): T;
}

/** What the vault stands on, put together from the node's parts. */
export function backendOf(
  foundation: Foundation,
  keyring: KeyringKeeper,
  forward: (node: number, request: VaultRequest) => Promise<VaultAnswer>,
  vault: () => RunningVault | undefined,
): NodeBackend {
  const { participation, store, identity, records, config } = foundation;
  const patienceMs = LEADERLESS_TIMEOUTS * config.raft.electionTicks * config.raft.tickMs;
  const restoring = { is: records.get(RESTORING_RECORD) !== undefined, maySee: false };
  records.onChange(RESTORING_RECORD, () => {
    const before = restoring.is;
    restoring.is = records.get(RESTORING_RECORD) !== undefined;
    if (before && !restoring.is) keyring.renew();
  });
  return {
    store,
    barrier() {
      if (restoring.is && !restoring.maySee) {
        throw new StrongroomError(
          'cluster.restoring',
          'Cannot serve: a snapshot is being restored, or a restore was cut short; run it to its end',
        );
      }
      return keyring.barrier();
    },
    duringRestore(look) {
      // Only for this call: it is over before anybody else has a turn.
      restoring.maySee = true;
      try {
        return look();
      } finally {
        restoring.maySee = false;
      }
    },
    isLeader: () => participation.isLeader(),
    commit: (transaction, signal) => participation.commit(transaction, signal),
    freshen: (consistency, signal) => participation.freshen(consistency, signal),
    async forward(request) {
      using limit = withTimeout(request.signal, patienceMs);
      const leader = await participation.whenLeaderKnown(limit);
      if (leader !== identity.node) return forward(leader, request);
      // This node became the leader meanwhile, and is ready.
      const own = vault();
      if (own === undefined) throw new StrongroomError('node.stopping', 'The node is starting');
      return own.handle(request);
    },
    namespaceKeys: {
      create: (namespace) => keyring.createNamespaceKey(namespace),
      destroy: (namespace) => keyring.destroyNamespaceKey(namespace),
    },
  };
}
