import type { Ground } from '../ground.ts';
import { SimulationCluster } from './simulation-cluster.ts';

/**
 * Whole clusters in one thread, from one seed, on simulated time: a run takes a fraction of the time
 * that it tells of, and a failing seed fails again in the same way.
 */
export const simulationGround: Ground = {
  name: 'simulation',
  capabilities: new Set([
    'process.kill',
    'process.pause',
    'process.power',
    'network.cut',
    'network.delay',
    'network.loss',
    'network.duplicate',
    'network.reorder',
    'clock.offset',
    'disk.sync',
    'cluster.admin',
  ]),
  workloads: new Set(['register']),
  unavailable(shape) {
    const hasReplicas = shape.nodes.some((node) => node.kind === 'replica');
    return Promise.resolve(hasReplicas ? 'the simulation has voters only' : undefined);
  },
  start(shape, { seed }) {
    const cluster = new SimulationCluster(shape, seed);
    cluster.begin();
    return Promise.resolve(cluster);
  },
};
