import { auditFaults } from './faults/audit.ts';
import { operationsFaults } from './faults/operations.ts';
import { raftFaults } from './faults/raft.ts';
import { replicationFaults } from './faults/replication.ts';
import { tokenFaults } from './faults/tokens.ts';
import { vaultFaults } from './faults/vault.ts';
import type { SeededFault } from './seeded-fault.ts';

/** Every seeded fault. `docs/chaos.md` has the table of what catches which. */
export const seededFaults: readonly SeededFault[] = [
  ...raftFaults,
  ...vaultFaults,
  ...tokenFaults,
  ...replicationFaults,
  ...auditFaults,
  ...operationsFaults,
];
