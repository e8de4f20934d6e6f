import { z } from 'zod';
import type { Capability } from '../grounds/capabilities.ts';
import { sleep } from '../grounds/sleep.ts';
import { duration } from '../scenario/units.ts';
import { defineFault, type Injection, lever } from './fault.ts';
import { untilHealthy } from './healthy.ts';

const pause = { pause: duration().default(0) };

/** One node after another: the leader last, so that leadership moves once. */
async function oneByOne(
  injection: Injection<{ readonly pause: number }>,
  each: (node: string) => Promise<void>,
): Promise<void> {
  const { cluster, nodes, leader, signal, parameters } = injection;
  const followers = nodes.filter((node) => node !== leader);
  for (const node of [...followers, ...nodes.filter((one) => one === leader)]) {
    if (signal.aborted) return;
    await each(node);
    await untilHealthy(injection, [node]);
    await sleep(cluster.clock, parameters.pause, signal);
  }
}

async function stop(injection: Injection, node: string): Promise<void> {
  const processes = lever(injection.cluster, 'process');
  if (processes.stop === undefined) throw new Error('The ground cannot stop a node');
  await processes.stop(node);
}

export const rollingRestart = defineFault({
  name: 'rolling-restart',
  summary: 'restarts nodes one by one, as an operator does, each when the one before is healthy',
  danger: 'mild',
  targets: 'nodes',
  lasting: false,
  parameters: z.strictObject(pause),
  needs: () => ['process.stop'],
  async inject(injection) {
    const processes = lever(injection.cluster, 'process');
    await oneByOne(injection, async (node) => {
      injection.undo(`start ${node}`, () => processes.start(node));
      await stop(injection, node);
      await processes.start(node);
    });
  },
});

export const upgrade = defineFault({
  name: 'rolling-upgrade',
  summary: 'moves nodes one by one to another build; the heal takes them back, one by one',
  danger: 'disruptive',
  targets: 'nodes',
  lasting: true,
  parameters: z.strictObject(pause),
  needs: (): readonly Capability[] => ['process.stop', 'process.build'],
  async inject(injection) {
    const { cluster, undo } = injection;
    const processes = lever(cluster, 'process');
    const upgraded = new Set<string>();
    await oneByOne(injection, async (node) => {
      // The heal comes when the fault's own signal has come already.
      undo(`take ${node} back to its own build`, async () => {
        await processes.useBuild?.(node, 'own');
        if (upgraded.has(node)) await stop(injection, node);
        await processes.start(node);
        upgraded.delete(node);
        await untilHealthy({ cluster, signal: new AbortController().signal }, [node]);
      });
      await stop(injection, node);
      await processes.useBuild?.(node, 'other');
      upgraded.add(node);
      await processes.start(node);
    });
  },
});
