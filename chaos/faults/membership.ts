import { z } from 'zod';
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
