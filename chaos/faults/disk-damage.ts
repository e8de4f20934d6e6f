import { z } from 'zod';
import type { DiskLever } from '../grounds/levers.ts';
import { sleep } from '../grounds/sleep.ts';
import { duration } from '../scenario/units.ts';
import { defineFault, type Injection, lever } from './fault.ts';
import { untilHealthy } from './healthy.ts';

/** It refused its disk, or knew that something is missing and was caught up. */
const felt =
  /log-corrupt|store\.corrupt|does not vote until|Puts the state aside|Makes the state anew|torn/i;
const destructive = { danger: 'destructive', targets: 'nodes' } as const;
const needs = () => ['process.kill', 'disk.bytes'] as const;
const part = z.enum(['log', 'state']).default('log');

/**
 * Kills the nodes, damages their disks, and starts them. One that refuses its disk stays down until
 * the heal, which gives it back what the disk held when it was killed. One that went on has written
 * more since then, and is left as it is: to take that from it would be another fault.
 */
async function damage(
  injection: Injection,
  harm: (disk: DiskLever, node: string) => Promise<void>,
): Promise<void> {
  const { cluster, nodes, id, undo } = injection;
  const disk = lever(cluster, 'disk');
  const processes = lever(cluster, 'process');
  for (const node of nodes) {
    const stage = { isDamaged: false, hasStarted: false };
    undo(`give ${node} its disk back`, async () => {
      // Killed before the copy was whole, or damaged and refused: what was, comes back.
      if (stage.isDamaged && !stage.hasStarted) {
        await processes.kill(node);
        await disk.putBack(node, id);
      }
      await processes.start(node);
      stage.hasStarted = true;
      await disk.forget(node, id);
    });
    await processes.kill(node);
    await disk.keep(node, id);
    stage.isDamaged = true;
    await harm(disk, node);
    stage.hasStarted = await processes.start(node).then(
      () => true,
      () => false,
    );
  }
}

const BITS_MAX = 10_000;

export const flipBits = defineFault({
  ...destructive,
  name: 'flip-bits',
  felt,
  summary: 'flips bits on the disks of nodes, which may refuse them until the heal',
  lasting: true,
  parameters: z.strictObject({ part, bits: z.int().min(1).max(BITS_MAX).default(1) }),
  needs,
  inject: (injection) =>
    damage(injection, (disk, node) =>
      disk.flipBits(node, injection.parameters.part, injection.parameters.bits, injection.random),
    ),
});

const TAIL_MAX = 64 * 1024 * 1024;

export const cutTail = defineFault({
  ...destructive,
  name: 'truncate-tail',
  felt,
  summary: 'cuts the last bytes off the newest file of nodes, as a torn write does',
  lasting: true,
  parameters: z.strictObject({ part, bytes: z.int().min(1).max(TAIL_MAX) }),
  needs,
  inject: (injection) =>
    damage(injection, (disk, node) =>
      disk.cutTail(node, injection.parameters.part, injection.parameters.bytes),
    ),
});

export const rollBackDisk = defineFault({
  ...destructive,
  name: 'roll-back-disk',
  felt,
  summary: 'gives nodes the disks that they had a while ago, as an old copy of a machine does',
  lasting: true,
  parameters: z.strictObject({ by: duration() }),
  needs,
  async inject(injection) {
    const { cluster, nodes, id, parameters, signal, undo } = injection;
    const disk = lever(cluster, 'disk');
    const processes = lever(cluster, 'process');
    const old = `${id}-old`;
    for (const node of nodes) {
      undo(`start ${node}`, async () => {
        await processes.start(node);
        await disk.forget(node, old);
      });
      await processes.kill(node);
      await disk.keep(node, old);
      await processes.start(node);
    }
    await untilHealthy(injection, nodes);
    await sleep(cluster.clock, parameters.by, signal);
    if (!signal.aborted) await damage(injection, (_, node) => disk.putBack(node, old));
  },
});

export const replaceDisk = defineFault({
  ...destructive,
  name: 'replace-disk',
  summary: 'gives nodes empty disks; they join again in place of what they were',
  lasting: false,
  parameters: z.strictObject({}),
  needs,
  async inject(injection) {
    const { cluster, nodes, undo } = injection;
    const disk = lever(cluster, 'disk');
    const processes = lever(cluster, 'process');
    for (const node of nodes) {
      undo(`start ${node}`, () => processes.start(node));
      await processes.kill(node);
      await disk.replace(node);
      await untilHealthy(injection, [node]);
    }
  },
});
