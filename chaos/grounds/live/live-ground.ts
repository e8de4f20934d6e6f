import type { Ground } from '../ground.ts';
import { handsOf, liveCapabilities } from './hands.ts';
import { LiveCluster } from './live-cluster.ts';
import type { Target } from './target.ts';

/**
 * A running cluster that its operator has named; without one, only what any could do. A scenario is
 * made to fit it first (`fitScenario`).
 */
export function liveGroundOf(target: Target | undefined): Ground {
  return {
    name: 'live',
    capabilities: target === undefined ? liveCapabilities : handsOf(target),
    unavailable: () =>
      Promise.resolve(
        target === undefined ? 'name the cluster with --target FILE; see docs/chaos.md' : undefined,
      ),
    start: (_shape, { healPlan }) => {
      if (target === undefined) throw new Error('A running cluster has to be named');
      return LiveCluster.open(target, healPlan);
    },
  };
}
