import type { SeededFault, Trial } from '../seeded-fault.ts';

const trial = (scenario: string): Trial => ({
  scenario,
  ground: 'processes',
  by: ['audit-complete'],
});

/** Faults of the audit log. What verifies it is left as it is. */
export const auditFaults: readonly SeededFault[] = [
  {
    name: 'audit-line-dropped',
    what: 'now and then an answer goes out that the audit log does not tell',
    patches: [
      {
        file: 'vault/auditor',
        search: "    await this.#append({ type: 'response', members });",
        replacement:
          "    if (about.nowMs % 20 !== 0) await this.#append({ type: 'response', members });",
      },
    ],
    trials: [trial('everyday')],
  },
  {
    name: 'refusal-not-audited',
    what: 'what a token is denied is not in the audit log',
    patches: [
      {
        file: 'vault/pipeline',
        search: '      await this.#parts.auditor.request(this.#audited(journey, caller), error);\n',
        replacement: '',
      },
    ],
    trials: [trial('tokens')],
  },
  {
    name: 'audit-chain-broken-at-restart',
    what: 'the chain of the audit log begins anew in the midst of its file',
    patches: [
      {
        file: 'audit/file/file-sink',
        search: 'this.#head = file.last ?? options.startAfter ?? EMPTY_CHAIN;',
        replacement: 'this.#head = options.startAfter ?? EMPTY_CHAIN;',
      },
    ],
    trials: [trial('restarts')],
  },
  {
    name: 'full-audit-log-ignored',
    what: 'requests are served that no audit log can take',
    patches: [
      {
        file: 'vault/auditor',
        search: 'this.#sinks.length === 1) return only.append(record);',
        replacement: 'this.#sinks.length === 1) return only.append(record).catch(() => undefined);',
      },
    ],
    trials: [trial('full-audit-log')],
  },
];
