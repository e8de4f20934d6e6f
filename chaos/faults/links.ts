import { z } from 'zod';
import type { LinkShape } from '../grounds/levers.ts';
import { bandwidth, duration, ratio } from '../scenario/units.ts';
import { defineFault, type Injection, lever } from './fault.ts';

/** Shapes every link of the chosen nodes, both directions; without nodes, every link. */
async function shapeLinks(injection: Injection, shape: LinkShape): Promise<void> {
  const { cluster, id, nodes, undo } = injection;
  const network = lever(cluster, 'network');
  const names = cluster.nodes.map((node) => node.name);
  const touched = (from: string, to: string) =>
    nodes.length === 0 || nodes.includes(from) || nodes.includes(to);
  const changes = names.flatMap((from) =>
    names.filter((to) => to !== from && touched(from, to)).map((to) => ({ from, to, shape })),
  );
  undo('make the links as they were', () => network.lift(id));
  await network.lay(id, changes);
}

const links = { danger: 'mild', targets: 'maybe', lasting: true } as const;

const delayParameters = z.strictObject({ by: duration(), jitter: duration().default(0) });

export const delay = defineFault({
  ...links,
  name: 'delay',
  summary: 'holds everything on links for a while, with jitter',
  parameters: delayParameters,
  needs: () => ['network.delay'],
  inject: (injection) =>
    shapeLinks(injection, {
      delayMs: injection.parameters.by,
      jitterMs: injection.parameters.jitter,
    }),
});

const shareParameters = z.strictObject({ of: ratio() });

export const loss = defineFault({
  ...links,
  name: 'loss',
  summary: 'loses a share of what links carry; over a proxy that is waiting and resets',
  parameters: shareParameters,
  needs: () => ['network.loss'],
  inject: (injection) => shapeLinks(injection, { lossRatio: injection.parameters.of }),
});

const bandwidthParameters = z.strictObject({ to: bandwidth() });

export const slowLinks = defineFault({
  ...links,
  name: 'bandwidth',
  summary: 'bounds the bytes a second of links',
  parameters: bandwidthParameters,
  needs: () => ['network.bandwidth'],
  inject: (injection) => shapeLinks(injection, { bytesPerSecond: injection.parameters.to }),
});

export const duplicate = defineFault({
  ...links,
  name: 'duplicate',
  summary: 'delivers a share of packets twice',
  parameters: shareParameters,
  needs: () => ['network.duplicate'],
  inject: (injection) => shapeLinks(injection, { duplicateRatio: injection.parameters.of }),
});

export const reorder = defineFault({
  ...links,
  name: 'reorder',
  summary: 'delivers a share of packets out of order',
  parameters: shareParameters,
  needs: () => ['network.reorder'],
  inject: (injection) => shapeLinks(injection, { reorderRatio: injection.parameters.of }),
});

export const corrupt = defineFault({
  ...links,
  name: 'corrupt',
  summary: 'flips a bit in a share of what links carry',
  parameters: shareParameters,
  needs: () => ['network.corrupt'],
  inject: (injection) => shapeLinks(injection, { corruptRatio: injection.parameters.of }),
});
