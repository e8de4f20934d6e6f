import { z } from 'zod';
import { defineFault, lever } from './fault.ts';

/** A vault that cannot write down what it does must not do it. */
export const auditSink = defineFault({
  name: 'audit-sink',
  summary: 'lets the audit log of nodes be full, or hang',
  danger: 'disruptive',
  targets: 'nodes',
  lasting: true,
  parameters: z.strictObject({ is: z.enum(['full', 'hanging']) }),
  felt: /Audit records could not be written/,
  needs: () => ['audit.sink'],
  async inject({ cluster, id, nodes, parameters, undo }) {
    const audit = lever(cluster, 'audit');
    undo('let the audit log be written', () => audit.lift(id));
    await audit.lay(id, nodes, { writes: parameters.is });
  },
});
