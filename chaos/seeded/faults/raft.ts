import { PROMISES, type SeededFault, type Trial } from '../seeded-fault.ts';

const simulated = (scenario: string): Trial => ({
  scenario,
  ground: 'simulation',
  by: [PROMISES, 'linearizable'],
});

/** Faults of consensus, its disk and its log. */
export const raftFaults: readonly SeededFault[] = [
  {
    name: 'acknowledge-before-fsync',
    what: 'writes are acknowledged while their fsync is still under way',
    patches: [
      {
        file: 'raft/driver/log/raft-log',
        search: '    await file.sync();\n    this.#chain = chain;',
        replacement: '    void file.sync();\n    this.#chain = chain;',
      },
    ],
    trials: [simulated('power-loss')],
  },
  {
    name: 'follower-acknowledges-before-fsync',
    what: 'followers acknowledge entries while they are still being written',
    patches: [
      {
        file: 'raft/core/follower',
        search: "core.sayAfterPersist({ kind: 'append-response', from: id, to, term, ...answer });",
        replacement: "core.say({ kind: 'append-response', from: id, to, term, ...answer });",
      },
    ],
    trials: [simulated('power-loss')],
  },
  {
    name: 'vote-not-persisted',
    what: 'a vote and its term are written with the next entry only, and forgotten in a power cut',
    patches: [
      {
        file: 'raft/driver/storage-writer',
        search: 'if (ready.hard !== undefined) changes.push(',
        replacement: 'if (ready.hard !== undefined && ready.append.length > 0) changes.push(',
      },
    ],
    trials: [simulated('crashes-in-elections')],
  },
  {
    name: 'reads-without-quorum-round',
    what: 'a leader answers linearizable reads without asking whether it still leads',
    patches: [
      {
        file: 'raft/core/read-index',
        search: 'const upTo = quorumValue(acked);',
        replacement: 'const upTo = Math.max(...acked);',
      },
    ],
    trials: [
      simulated('cut-off-leader'),
      { scenario: 'cut-off-leader', ground: 'processes', by: ['linearizable'] },
    ],
  },
  {
    name: 'commit-without-majority',
    what: 'a leader commits what one node fewer than a majority has',
    patches: [
      {
        file: 'raft/core/replication',
        search: 'const index = quorumValue(matches) as LogIndex;',
        replacement: 'const index = Math.max(...matches) as LogIndex;',
      },
    ],
    trials: [
      simulated('cut-off-leader'),
      { scenario: 'cut-off-leader', ground: 'processes', by: ['linearizable'] },
    ],
  },
  {
    name: 'votes-for-a-shorter-log',
    what: 'a node that lacks acknowledged writes can be elected',
    patches: [
      {
        file: 'raft/core/election',
        search: 'const granted = free && upToDate && !core.logLost',
        replacement: 'const granted = free && !core.logLost',
      },
    ],
    trials: [simulated('lagging-follower')],
  },
  {
    name: 'replaced-write-acknowledged',
    what: 'a client is told that a write was made at whose place another leader wrote',
    patches: [
      {
        file: 'raft/driver/proposals',
        search: 'if (sent.term !== entry.term) {',
        replacement: 'if (sent.term < 0) {',
      },
      {
        file: 'raft/driver/proposals',
        search:
          "      this.#fail(waiting, outcomeUnknown('leadership was lost meanwhile'), 'unknown');\n    }\n    this.#sent.clear();",
        replacement: '      if (waiting.startedMs < 0) return;\n    }',
      },
    ],
    trials: [simulated('cut-off-leader')],
  },
];
