import { sleep } from '../grounds/sleep.ts';
import type { Injection } from './fault.ts';

const HEALTHY_MS = 60_000;
const ASK_EVERY_MS = 100;

/**
 * Resolves when those nodes serve unsealed, have what was committed when it was first asked, and a
 * leader is known; what is done to one node after another waits for it in between, as an operator
 * would. At once when the fault is over.
 * @throws Error when it takes longer than a minute.
 */
export async function untilHealthy(
  { cluster, signal }: Pick<Injection, 'cluster' | 'signal'>,
  nodes: readonly string[],
): Promise<void> {
  const deadline = cluster.clock.monotonicMs() + HEALTHY_MS;
  const { commit } = await cluster.observe();
  while (!signal.aborted) {
    const { leader, nodes: seen } = await cluster.observe();
    const isWell = (name: string) =>
      seen.some(
        (one) => one.name === name && one.up && one.seal === 'unsealed' && one.applied >= commit,
      );
    if (leader !== undefined && nodes.every(isWell)) return;
    if (cluster.clock.monotonicMs() > deadline)
      throw new Error(`${nodes.join(', ')}: not healthy within ${HEALTHY_MS} ms`);
    await sleep(cluster.clock, ASK_EVERY_MS, signal);
  }
}
