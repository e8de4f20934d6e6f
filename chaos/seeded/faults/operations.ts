import type { SeededFault } from '../seeded-fault.ts';

/** Faults of what operators rely on when things have gone wrong: seals that open, backups that hold. */
export const operationsFaults: readonly SeededFault[] = [
  {
    name: 'seal-not-tried-again',
    what: 'a node that could not open itself when it started never tries again',
    patches: [
      {
        file: 'seal/caretaker',
        search: '      if (!this.#stopped && !this.#kicked) await this.#pause();',
        replacement:
          '      if (this.#tries > 0) return;\n      if (!this.#stopped && !this.#kicked) await this.#pause();',
      },
    ],
    trials: [{ scenario: 'hsm-comes-back', ground: 'processes', by: ['seal-sound'] }],
  },
  {
    name: 'restore-leaves-out-records',
    what: 'now and then a record of a snapshot is not restored',
    patches: [
      {
        file: 'server/snapshots/snapshot-keeper',
        search: 'if (isKept(key, keep) || ended(key)) continue;',
        replacement:
          'if (isKept(key, keep) || ended(key) || (key.at(-1) ?? 0) % 8 === 7) continue;',
      },
    ],
    trials: [{ scenario: 'new-hardware', ground: 'processes', by: ['restored-elsewhere'] }],
  },
];
