import { z } from 'zod';
import type { LinkChange } from '../grounds/levers.ts';
import { sleep } from '../grounds/sleep.ts';
import { duration } from '../scenario/units.ts';
import { defineFault, type Injection, lever } from './fault.ts';
import { cutDirections, type Direction, partitionShapes } from './partition-shapes.ts';

const parameters = z
  .strictObject({
    shape: z.enum(partitionShapes).default('isolate'),
    /** What is cut: everything, what comes in to the chosen side, or what goes out of it. */
    direction: z.enum(['both', 'inbound', 'outbound']).default('both'),
    /** Connections are reset instead of falling silent. */
    refuse: z.boolean().default(false),
    /** On and off again and again, each this long. */
    flapping: duration().optional(),
  })
  .refine(
    ({ shape, direction }) => shape !== 'ring' || direction === 'both',
    'a ring has no side, so it cannot be one-way',
  );

type Parameters = z.output<typeof parameters>;

/** Every shape of partition: RAFT nemeses from one isolated node to a ring of majorities. */
export const partition = defineFault<Parameters>({
  name: 'partition',
  summary: 'cuts links: isolate, one, halves, minority, ring, bridge; one-way; flapping',
  danger: 'disruptive',
  targets: 'maybe',
  lasting: true,
  parameters: parameters as z.ZodType<Parameters>,
  needs: () => ['network.cut'],
  async inject(injection) {
    const { cluster, id, undo } = injection;
    const network = lever(cluster, 'network');
    const changes = changesOf(injection);
    if (changes.length === 0) throw new Error('The partition cuts nothing: name nodes with "on"');
    const over = new AbortController();
    undo('join the network again', async () => {
      over.abort();
      await network.lift(id);
    });
    await network.lay(id, changes);
    const { flapping } = injection.parameters;
    if (flapping !== undefined) void flap(injection, changes, flapping, over.signal);
  },
});

function changesOf(injection: Injection<Parameters>): readonly LinkChange[] {
  const { cluster, nodes: chosen, parameters: wanted, random } = injection;
  const directions = cutDirections(wanted.shape, {
    nodes: cluster.nodes.map((node) => node.name),
    voters: cluster.nodes.filter((node) => node.kind === 'voter').map((node) => node.name),
    chosen,
    random,
  });
  // One-way: each pair of directions begins with the one that leads away from the first side.
  const isCut = (_: Direction, at: number) =>
    wanted.direction === 'both' || (at % 2 === 0) === (wanted.direction === 'outbound');
  const blocked = wanted.refuse ? 'refuse' : 'drop';
  return directions.filter(isCut).map((one) => ({ ...one, shape: { blocked } as const }));
}

async function flap(
  { cluster, id }: Injection<Parameters>,
  changes: readonly LinkChange[],
  everyMs: number,
  over: AbortSignal,
): Promise<void> {
  const network = lever(cluster, 'network');
  for (let isCut = true; ; isCut = !isCut) {
    await sleep(cluster.clock, everyMs, over);
    if (over.aborted) return;
    await (isCut ? network.lift(id) : network.lay(id, changes));
    // The heal may have come while the layer was being laid.
    if (over.aborted) await network.lift(id);
  }
}
