import { z } from 'zod';
import { defineFault, lever } from './fault.ts';

/** SIGKILL; healed by starting the nodes again on the data they have. */
export const kill = defineFault({
  name: 'kill',
  summary: 'ends nodes at once (SIGKILL), and starts them again',
  danger: 'disruptive',
  targets: 'nodes',
  lasting: true,
  parameters: z.strictObject({}),
  needs: () => ['process.kill'],
  async inject({ cluster, nodes, undo }) {
    const processes = lever(cluster, 'process');
    for (const node of nodes) undo(`start ${node}`, () => processes.start(node));
    await Promise.all(nodes.map((node) => processes.kill(node)));
  },
});

/** Unlike a process that is killed, whose writes the operating system still makes. */
export const powerCut = defineFault({
  name: 'power-cut',
  summary: 'cuts the power of nodes: what was not synced is lost or torn; starts them again',
  danger: 'destructive',
  targets: 'nodes',
  lasting: true,
  parameters: z.strictObject({}),
  needs: () => ['process.power', 'process.kill'],
  async inject({ cluster, nodes, undo }) {
    const processes = lever(cluster, 'process');
    for (const node of nodes) undo(`start ${node}`, () => processes.start(node));
    await Promise.all(nodes.map(async (node) => processes.cutPower?.(node)));
  },
});

/** SIGSTOP: the node is there, its sockets are open, and it does nothing. */
export const pause = defineFault({
  name: 'pause',
  summary: 'stops nodes where they stand (SIGSTOP), and lets them go on',
  danger: 'disruptive',
  targets: 'nodes',
  lasting: true,
  parameters: z.strictObject({}),
  needs: () => ['process.pause'],
  async inject({ cluster, nodes, undo }) {
    const processes = lever(cluster, 'process');
    for (const node of nodes) undo(`let ${node} go on`, () => processes.resume(node));
    await Promise.all(nodes.map((node) => processes.pause(node)));
  },
});
