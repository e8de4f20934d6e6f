import type { Random } from '../../src/lib/index.ts';
import type { Observation } from '../grounds/observation.ts';
import type { PlannedNode } from '../scenario/scenario.ts';
import type { Selector } from '../scenario/selector.ts';

/** The nodes that a selector means at this moment; undefined when it means none just now. */
export function chooseNodes(
  selector: Selector,
  nodes: readonly PlannedNode[],
  { leader }: Pick<Observation, 'leader'>,
  random: Random,
): readonly string[] | undefined {
  const voters = nodes.filter((node) => node.kind === 'voter').map((node) => node.name);
  const replicas = nodes.filter((node) => node.kind === 'replica');
  const one = (from: readonly string[]) => {
    const chosen = from[random.below(Math.max(1, from.length))];
    return chosen === undefined ? undefined : [chosen];
  };
  // The leader is always of a chosen minority or majority: without it little would happen.
  const some = (count: number) => {
    if (leader === undefined) return undefined;
    const others = voters.filter((name) => name !== leader);
    const chosen = [leader];
    while (chosen.length < count && others.length > 0)
      chosen.push(...others.splice(random.below(others.length), 1));
    return chosen;
  };
  const quorum = Math.floor(voters.length / 2) + 1;
  switch (selector.kind) {
    case 'leader':
      return leader === undefined ? undefined : [leader];
    case 'follower':
      return leader === undefined ? undefined : one(voters.filter((name) => name !== leader));
    case 'followers':
      return leader === undefined ? undefined : voters.filter((name) => name !== leader);
    case 'node':
      return [selector.name];
    case 'minority':
      return some(voters.length - quorum);
    case 'majority':
      // The smallest number whose loss leaves no quorum.
      return some(voters.length - quorum + 1);
    case 'voters':
      return voters;
    case 'replicas':
      return replicas.map((node) => node.name);
    case 'all':
      return nodes.map((node) => node.name);
    case 'region':
      return nodes.filter((node) => node.region === selector.region).map((node) => node.name);
    case 'replica-of':
      return one(replicas.filter((node) => node.region === selector.region).map((two) => two.name));
    case 'random':
      switch (selector.of) {
        case 'voter':
          return one(voters);
        case 'replica':
          return one(replicas.map((node) => node.name));
        case 'node':
          return one(nodes.map((node) => node.name));
      }
  }
}
