import { faultNamed } from '../faults/catalogue.ts';
import type { PlannedNode, TimelineStep } from '../scenario/scenario.ts';
import type { Selector } from '../scenario/selector.ts';
import { occurrencesOf } from './injector.ts';

/** What a step may touch, at the most: who leads when it comes is not known before. */
export interface Reach {
  /** Every node that it may be done to. */
  readonly nodes: readonly string[];
  /** At the same time. */
  readonly atOnce: number;
}

/** What one doing of a step may touch. Of a fault without nodes: the whole cluster. */
export function reachOf(step: TimelineStep, nodes: readonly PlannedNode[]): Reach {
  const all = nodes.map((node) => node.name);
  const voters = nodes.filter((node) => node.kind === 'voter').map((node) => node.name);
  if (step.on === undefined) {
    const { shape } = (step.parameters ?? {}) as { readonly shape?: string };
    // Drawn when it comes, but of so many only.
    if (step.fault === 'partition' && shape === 'one') return { nodes: voters, atOnce: 1 };
    if (step.fault === 'partition' && shape === 'minority')
      return { nodes: voters, atOnce: Math.max(1, minorityOf(voters.length)) };
    return { nodes: all, atOnce: all.length };
  }
  return ofSelector(step.on, nodes, voters);
}

function ofSelector(
  selector: Selector,
  nodes: readonly PlannedNode[],
  voters: readonly string[],
): Reach {
  const replicas = nodes.filter((node) => node.kind === 'replica');
  const names = (some: readonly PlannedNode[]) => some.map((node) => node.name);
  const every = (some: readonly string[]): Reach => ({ nodes: some, atOnce: some.length });
  const one = (some: readonly string[]): Reach => ({ nodes: some, atOnce: 1 });
  switch (selector.kind) {
    case 'leader':
    case 'follower':
      return one(voters);
    case 'followers':
      return { nodes: voters, atOnce: voters.length - 1 };
    case 'node':
      return one([selector.name]);
    case 'minority':
      return { nodes: voters, atOnce: minorityOf(voters.length) };
    case 'majority':
      return { nodes: voters, atOnce: minorityOf(voters.length) + 1 };
    case 'voters':
      return every(voters);
    case 'replicas':
      return every(names(replicas));
    case 'all':
      return every(names(nodes));
    case 'region':
      return every(names(nodes.filter((node) => node.region === selector.region)));
    case 'replica-of':
      return one(names(replicas.filter((node) => node.region === selector.region)));
    case 'random':
      return one(
        selector.of === 'voter' ? voters : names(selector.of === 'node' ? nodes : replicas),
      );
  }
}

/** The largest number of voters whose loss leaves a quorum. */
export const minorityOf = (voters: number) => voters - (Math.floor(voters / 2) + 1);

/** How many voters a step may keep from their work. */
export function votersHarmed(step: TimelineStep, nodes: readonly PlannedNode[]): number {
  const { danger, targets } = faultNamed(step.fault);
  const voters = new Set(nodes.filter((node) => node.kind === 'voter').map((node) => node.name));
  const reach = reachOf(step, nodes);
  const reached = Math.min(reach.atOnce, reach.nodes.filter((name) => voters.has(name)).length);
  // A mild fault of nodes is done to one after the other.
  if (danger === 'mild') return targets === 'nodes' ? Math.min(1, reached) : 0;
  return reached;
}

/** The greatest sum of `weight` over steps of the timeline that may be in effect together. */
export function mostAtOnce(
  timeline: readonly TimelineStep[],
  durationMs: number,
  weight: (step: TimelineStep) => number,
): number {
  const stretches = occurrencesOf(timeline, 0).map(({ step, atMs }) => ({
    weight: weight(step),
    from: atMs,
    to: faultNamed(step.fault).lasting ? atMs + (step.forMs ?? durationMs) : atMs,
  }));
  const sums = stretches.map(({ from }) =>
    stretches
      .filter((one) => one.from <= from && from <= one.to)
      .reduce((sum, one) => sum + one.weight, 0),
  );
  return Math.max(0, ...sums);
}
