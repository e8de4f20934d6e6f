import type { Random } from '../../src/lib/index.ts';

/** A direction of a link between two nodes. */
export interface Direction {
  readonly from: string;
  readonly to: string;
}

export const partitionShapes = ['isolate', 'one', 'halves', 'minority', 'ring', 'bridge'] as const;
export type PartitionShape = (typeof partitionShapes)[number];

interface Around {
  readonly nodes: readonly string[];
  readonly voters: readonly string[];
  /** What the scenario chose, for `isolate`. */
  readonly chosen: readonly string[];
  readonly random: Random;
}

/**
 * The directions that a partition cuts (Jepsen's nemeses). `isolate`: the chosen nodes from all
 * others, staying together. `one`: one voter alone. `halves`: a majority from the rest. `minority`:
 * the largest minority from the rest. `ring`: every voter sees a majority, and no two the same.
 * `bridge`: two halves that only one voter sees both of.
 */
export function cutDirections(shape: PartitionShape, around: Around): readonly Direction[] {
  const { nodes, voters, chosen } = around;
  switch (shape) {
    case 'isolate':
      return between(chosen, without(nodes, chosen));
    case 'one': {
      const side = shuffled(voters, around.random).slice(0, 1);
      return between(side, without(nodes, side));
    }
    case 'halves': {
      const side = shuffled(nodes, around.random).slice(0, Math.floor(nodes.length / 2));
      return between(side, without(nodes, side));
    }
    case 'minority': {
      const count = Math.max(1, Math.floor((voters.length - 1) / 2));
      const side = shuffled(voters, around.random).slice(0, count);
      return between(side, without(nodes, side));
    }
    case 'ring':
      return ring(shuffled(voters, around.random));
    case 'bridge': {
      const [, ...others] = shuffled(voters, around.random);
      const half = Math.ceil(others.length / 2);
      return between(others.slice(0, half), others.slice(half));
    }
  }
}

/** Each sees itself and its nearest on both sides, as many as make a majority. */
function ring(voters: readonly string[]): readonly Direction[] {
  const count = voters.length;
  const reach = Math.ceil(Math.floor(count / 2) / 2);
  const cut: Direction[] = [];
  voters.forEach((from, at) => {
    voters.forEach((to, other) => {
      const apart = Math.min((at - other + count) % count, (other - at + count) % count);
      // Of three, each hears the next and not the one before: with both there would be no ring.
      const isBefore = count === 3 && (at + 1) % count === other;
      if (apart > reach || isBefore) cut.push({ from, to });
    });
  });
  return cut;
}

function between(one: readonly string[], other: readonly string[]): readonly Direction[] {
  return one.flatMap((a) =>
    other.flatMap((b) => [
      { from: a, to: b },
      { from: b, to: a },
    ]),
  );
}

const without = (all: readonly string[], some: readonly string[]) =>
  all.filter((one) => !some.includes(one));

/** In an order drawn from the seed (Fisher and Yates). */
export function shuffled<Item>(items: readonly Item[], random: Random): readonly Item[] {
  const order = [...items];
  for (let at = order.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [order[at], order[other]] = [order[other] as Item, order[at] as Item];
  }
  return order;
}
