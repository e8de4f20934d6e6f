import type { ClusterShape } from '../../scenario/scenario.ts';
import type { LinkChange, NetworkLever } from '../levers.ts';

/** The network of a cluster that was started for a run. */
export interface ClusterNetwork extends NetworkLever {
  /** Lifts every layer that is not the network's nature. */
  liftFaults(): Promise<void>;
}

/** The layer that is the network's nature and no fault. */
export const groundLayer = 'ground';

/** What a scenario's network is like between regions. */
export function linksBetweenRegions({
  nodes,
  betweenRegions,
}: ClusterShape): readonly LinkChange[] {
  if (betweenRegions === undefined) return [];
  return nodes.flatMap((from) =>
    nodes
      .filter((to) => to.region !== from.region)
      .map((to) => ({ from: from.name, to: to.name, shape: betweenRegions })),
  );
}
