import type { SeededFault, Trial } from '../seeded-fault.ts';

const trial = (scenario: string, ...by: readonly string[]): Trial => ({
  scenario,
  ground: 'processes',
  by,
});

/** Faults of read replicas, and of how fresh any node's answers are. */
export const replicationFaults: readonly SeededFault[] = [
  {
    name: 'stale-replica-answers',
    what: 'a replica that is cut off answers reads of bounded staleness',
    patches: [
      {
        file: 'replication/consistency/consistency-gate',
        search: '    if (freshness.stalenessMs() <= boundMs) return;\n    try {',
        replacement: '    if (freshness.stalenessMs() > 0) return;\n    try {',
      },
    ],
    trials: [trial('far-replica', 'session-guarantees')],
  },
  {
    name: 'linearizable-reads-of-own-state',
    what: 'nodes answer linearizable reads with what they have, however old',
    patches: [
      {
        file: 'replication/consistency/consistency-gate',
        search: "      case 'linearizable':\n        await this.#renew(signal);",
        replacement: "      case 'linearizable':",
      },
    ],
    trials: [trial('far-replica', 'linearizable')],
  },
  {
    name: 'revision-ignored',
    what: 'a client does not read its own writes from a replica',
    patches: [
      {
        file: 'replication/consistency/consistency-gate',
        search: '    if (store.revision >= revision) return;',
        replacement: '    if (store.revision >= 0 * revision) return;',
      },
    ],
    trials: [trial('far-replica', 'session-guarantees')],
  },
  {
    name: 'replica-skips-an-entry',
    what: 'a replica passes over a change now and then, and does not compare its state',
    patches: [
      {
        file: 'replication/feed/follow-session',
        search: '      .map(decodeEntry)\n',
        replacement:
          "      .map(decodeEntry)\n      .map((entry) => (entry.index % 7 === 0 && entry.index > 60 ? { ...entry, kind: 'empty' as const } : entry))\n",
      },
      {
        file: 'replication/feed/follow-session',
        search: 'if (own === undefined || equalBytes(own, expected.digest)) return;',
        replacement:
          'if (own === undefined || equalBytes(own, expected.digest) || node > 0) return;',
      },
    ],
    trials: [trial('far-replica', 'same-state', 'session-guarantees')],
  },
  {
    name: 'snapshot-leaves-out-a-record',
    what: 'a node that is brought back by a snapshot lacks some secrets',
    patches: [
      {
        file: 'store/snapshot/write-snapshot',
        search: '      const record = decodeData(key, bytes);\n',
        replacement:
          '      const record = decodeData(key, bytes);\n      if (record.revision > 200 && record.revision % 8 === 0) return false;\n',
      },
    ],
    trials: [trial('snapshot', 'same-state')],
  },
];
