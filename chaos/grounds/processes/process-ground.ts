import { StrongroomError } from '../../../src/lib/index.ts';
import type { ClusterShape } from '../../scenario/scenario.ts';
import type { Capability } from '../capabilities.ts';
import type { Cluster, Ground, StartOptions } from '../ground.ts';
import { LocalCluster } from './local-cluster.ts';
import { ProcessCluster } from './process-cluster.ts';
import { missingForSeal, sealSlots } from './seal-slots.ts';

export const processCapabilities: ReadonlySet<Capability> = new Set<Capability>([
  'process.kill',
  'process.pause',
  'network.cut',
  'network.delay',
  'network.loss',
  'network.bandwidth',
  'cluster.admin',
  'cluster.load',
]);

/** Real processes of the built program on loopback, with a proxy of ours on every link. */
export const processGround: Ground = {
  name: 'processes',
  capabilities: processCapabilities,
  unavailable: (shape) => Promise.resolve(missingForSeal(shape.seal)),
  async start(shape, options): Promise<Cluster> {
    try {
      return new ProcessCluster(shape, await startLocal(shape, options), options.healPlan);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new StrongroomError('cluster.start-failed', `Cannot start the cluster: ${why}`, {
        cause,
      });
    }
  },
};

async function startLocal(shape: ClusterShape, { healPlan }: StartOptions): Promise<LocalCluster> {
  const voters = shape.nodes.filter((node) => node.kind === 'voter');
  const replicas = shape.nodes.filter((node) => node.kind === 'replica');
  return LocalCluster.start({
    voters: voters.length,
    replicas: replicas.map((node) => node.region),
    voterRegions: voters.map((node) => node.region),
    names: shape.nodes.map((node) => node.name),
    proxied: true,
    slots: (folder) => sealSlots(shape.seal, folder),
    created: (folder) => {
      healPlan.add({
        id: 'folder',
        what: `remove ${folder}`,
        kind: 'remove-folder',
        folder,
      });
      healPlan.add({
        id: 'processes',
        what: `end the nodes that run from ${folder}`,
        kind: 'end-processes',
        folder,
      });
    },
  });
}
