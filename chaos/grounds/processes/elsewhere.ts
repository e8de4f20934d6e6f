import type { HealPlan } from '../../heal/heal-plan.ts';
import type { ClusterShape } from '../../scenario/scenario.ts';
import type { Elsewhere, VaultClient } from '../ground.ts';
import type { Apparatus } from './apparatus.ts';
import { LocalCluster } from './local-cluster.ts';

/**
 * A second cluster with as many voters, in a folder of its own: nothing of the first's disks is in
 * it, and its nodes reach the same HSM (or, of the development seal, the same key file).
 */
export async function startElsewhere(
  shape: ClusterShape,
  first: LocalCluster,
  apparatus: Apparatus,
  healPlan: HealPlan,
): Promise<Elsewhere> {
  const slots = (await apparatus.slots('elsewhere')) ?? first.slots;
  const second = await LocalCluster.start({
    voters: shape.nodes.filter((node) => node.kind === 'voter').length,
    slots,
    program: first.program,
    created: (folder) => {
      healPlan.add({ id: 'elsewhere', what: `remove ${folder}`, kind: 'remove-folder', folder });
      healPlan.add({
        id: 'processes elsewhere',
        what: `end the nodes that run from ${folder}`,
        kind: 'end-processes',
        folder,
      });
    },
  });
  return {
    async restore(snapshot): Promise<VaultClient> {
      const young = await second.client();
      await young.restoreSnapshot(snapshot, { foreign: true });
      return second.client({ token: first.rootToken });
    },
    async [Symbol.asyncDispose]() {
      await second[Symbol.asyncDispose]();
      healPlan.remove('processes elsewhere');
      healPlan.remove('elsewhere');
    },
  };
}
