import { z } from 'zod';
import { defineFault } from './fault.ts';

const TRANSFER_MS = 5_000;

/** Asks the leader to hand over, as an operator would before work on its machine. */
export const transferLeadership = defineFault({
  name: 'transfer-leadership',
  summary: 'lets the leader hand leadership to another voter',
  danger: 'mild',
  targets: 'none',
  lasting: false,
  parameters: z.strictObject({}),
  needs: () => ['cluster.admin'],
  async inject({ cluster, leader }) {
    if (leader === undefined) throw new Error('No leader to hand over');
    const client = await cluster.client({ prefer: leader });
    try {
      await client.call('cluster.stepDown', { node: 0 }, { timeoutMs: TRANSFER_MS });
    } finally {
      await client.close();
    }
  },
});
