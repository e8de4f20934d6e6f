import { existsSync, readFileSync } from 'node:fs';
import { hasCode } from '../../lib/index.ts';
import { clientOf } from './clients.ts';
import { type LocalCluster, type LocalNode, sharesFile } from './layout.ts';
import { pause } from './processes.ts';

/** How the shares of a local cluster are made. */
export const SHARES = { shares: 3, threshold: 2 };
const CALL_MS = 30_000;
const LAYOUT_MS = 30_000;
const LOOK_MS = 100;

/**
 * Gives a node the shares that `up` has kept, if there are any. A node that joined a moment ago does
 * not know yet that it is sealed: it is asked until it does.
 */
export async function unsealWithShares(
  cluster: LocalCluster,
  node: LocalNode,
  signal: AbortSignal,
): Promise<void> {
  const file = sharesFile(cluster.options.data);
  if (!existsSync(file)) return;
  const shares = readFileSync(file, 'utf8').trim().split('\n');
  await using client = await clientOf(cluster, [node]);
  const give = async (share: string) => {
    const deadline = performance.now() + LAYOUT_MS;
    for (;;) {
      try {
        await client.call('seal.unseal', { share }, { timeoutMs: CALL_MS, signal });
        return;
      } catch (error) {
        const isEarly = hasCode(error, 'seal.uninitialized', 'seal.slot-unknown');
        if (!isEarly || performance.now() > deadline || signal.aborted) throw error;
        await pause(LOOK_MS, signal);
      }
    }
  };
  for (const share of shares.slice(0, SHARES.threshold)) await give(share);
}
