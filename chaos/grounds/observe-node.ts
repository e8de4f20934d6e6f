import { hasCode } from '../../src/lib/index.ts';
import type { VaultClient } from './ground.ts';
import type { NodeObservation } from './observation.ts';

/** A node gives the others a second to answer before it tells of them, and may be busy itself. */
const OBSERVE_MS = 3_000;
const SEALED_MS = 1_000;

/** What a node says of itself; one that does not answer in time, or is nowhere, is down. */
export async function observeNode(
  observer: Pick<VaultClient, 'call'>,
  name: string,
  address: string | undefined,
): Promise<NodeObservation> {
  const silent = { name, role: 'unreachable', term: 0, commit: 0, applied: 0 } as const;
  const lag = { lagMs: 0, lagEntries: 0 } as const;
  if (address === undefined) return { ...silent, ...lag, up: false, seal: 'unknown' };
  try {
    const status = await observer.call(
      'cluster.status',
      {},
      { address, attemptsMax: 1, timeoutMs: OBSERVE_MS, consistency: { kind: 'eventual' } },
    );
    const own = status.members.find((member) => member.node === status.node);
    if (own === undefined) return { ...silent, ...lag, up: true, seal: 'unknown' };
    const { role, term, commit, applied, lagMs, lagEntries, sealState } = own;
    return { name, up: true, role, term, commit, applied, lagMs, lagEntries, seal: sealState };
  } catch (error) {
    // One that may say nothing because it cannot record that it did is no node that is down.
    if (hasCode(error, 'audit.sink-failed'))
      return { ...silent, ...lag, up: true, seal: 'unknown' };
    const isSealed = hasCode(error, 'seal.sealed') || (await saysSealed(observer, address));
    return { ...silent, ...lag, up: isSealed, seal: isSealed ? 'sealed' : 'unknown' };
  }
}

/** When all are sealed nobody knows a token, and only this is answered. */
async function saysSealed(observer: Pick<VaultClient, 'call'>, address: string): Promise<boolean> {
  try {
    const options = { address, attemptsMax: 1, timeoutMs: SEALED_MS };
    return (await observer.call('seal.status', {}, options)).sealed;
  } catch {
    return false;
  }
}
