import { z } from 'zod';
import type { Cluster } from '../grounds/ground.ts';
import { sleep } from '../grounds/sleep.ts';
import { duration } from '../scenario/units.ts';
import { defineFault, lever } from './fault.ts';

/** A member comes, stays for a while and goes, again and again. */
export const membershipChurn = defineFault({
  name: 'membership-churn',
  summary: 'adds a member and removes it, again and again',
  danger: 'disruptive',
  targets: 'none',
  lasting: true,
  parameters: z.strictObject({
    kind: z.enum(['voter', 'replica']).default('voter'),
    region: z.string().max(64).default('local'),
    stays: duration().default(1_000),
  }),
  needs: () => ['membership.change'],
  async inject({ cluster, parameters, undo }) {
    const membership = lever(cluster, 'membership');
    const over = new AbortController();
    let added: string | undefined;
    let churning = Promise.resolve();
    undo('remove the member that was added', async () => {
      over.abort();
      await churning;
      if (added !== undefined) await membership.remove(added);
    });
    added = await membership.add(parameters.kind, parameters.region);
    const churn = async () => {
      while (!over.signal.aborted) {
        await sleep(cluster.clock, parameters.stays, over.signal);
        if (added !== undefined) await membership.remove(added);
        added = undefined;
        if (!over.signal.aborted) added = await membership.add(parameters.kind, parameters.region);
      }
    };
    // Another fault may keep one from coming or going: what is left is removed by the heal.
    churning = churn().catch(() => undefined);
  },
});

/** Membership without a new machine: a voter listens only for a while. */
export const demote = defineFault({
  name: 'demote',
  summary: 'makes voters learners, and voters again',
  danger: 'disruptive',
  targets: 'nodes',
  lasting: true,
  parameters: z.strictObject({}),
  needs: () => ['membership.roles'],
  async inject({ cluster, id, nodes, undo }) {
    const client = await cluster.client();
    const { members } = await client.call('cluster.status', {}, { timeoutMs: CHANGE_MS });
    const ids = members.filter((one) => nodes.includes(one.name)).map((one) => one.node);
    const changed = new Set<number>();
    undo('make them voters again', async () => {
      for (const node of changed) {
        await untilTaken(cluster, () =>
          client.call('cluster.promote', { node }, { timeoutMs: CHANGE_MS }),
        );
        changed.delete(node);
        cluster.aftermath?.done(`${id} ${node}`);
      }
      await client.close();
    });
    for (const node of ids) {
      changed.add(node);
      cluster.aftermath?.plan(`${id} ${node}`, `make node ${node} a voter again`, {
        args: ['operator', 'members', 'promote', String(node)],
        unless: 'cluster.change-refused',
      });
      await client.call('cluster.demote', { node }, { timeoutMs: CHANGE_MS });
    }
  },
});

const CHANGE_MS = 10_000;
const TAKEN_MS = 60_000;
const AGAIN_MS = 250;

/** A learner that is behind is refused until it has caught up; one that votes already, for ever. */
async function untilTaken(cluster: Cluster, change: () => Promise<unknown>): Promise<void> {
  const deadline = cluster.clock.monotonicMs() + TAKEN_MS;
  for (;;) {
    try {
      await change();
      return;
    } catch (error) {
      if (cluster.clock.monotonicMs() > deadline) throw error;
      await sleep(cluster.clock, AGAIN_MS);
    }
  }
}
