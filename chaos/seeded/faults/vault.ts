import type { SeededFault, Trial } from '../seeded-fault.ts';

/** Without any disturbance: such a fault shows by itself. */
const everyday = (...by: readonly string[]): Trial => ({
  scenario: 'everyday',
  ground: 'processes',
  by,
});

/** Faults of secrets, of the store below them, and of those who watch. */
export const vaultFaults: readonly SeededFault[] = [
  {
    name: 'request-ids-forgotten',
    what: 'a request that is sent again is made again',
    patches: [
      {
        file: 'store/history',
        search: 'return this.#byRequest.get(keyText(requestId))?.revision;',
        replacement: 'return requestId.length === 0 ? this.#byRequest.size : undefined;',
      },
    ],
    trials: [everyday('exactly-once')],
  },
  {
    name: 'request-ids-lost-at-restart',
    what: 'a request that is sent again after its node was started anew is made again',
    patches: [
      {
        file: 'store/history',
        search: 'if (revision > oldest) this.#note(block, revision, record, encoded);',
        replacement:
          'const bare = { ...record, requestId: new Uint8Array() };\n      if (revision > oldest) this.#note(block, revision, bare, encoded);',
      },
    ],
    trials: [{ scenario: 'restarts', ground: 'processes', by: ['exactly-once'] }],
  },
  {
    name: 'write-lost-in-applier',
    what: 'now and then an acknowledged write is made on no node',
    patches: [
      {
        file: 'store/apply-transaction',
        search: 'for (const { text, write } of puts) {\n    const { key } = write;',
        replacement:
          'for (const { text, write } of puts) {\n    const { key } = write;\n    if (revision > 200 && revision % 25 === 0) continue;',
      },
    ],
    trials: [everyday('linearizable', 'set-elements', 'list-append', 'session-guarantees')],
  },
  {
    name: 'compare-and-set-ignored',
    what: 'a write that names the version it replaces replaces any',
    patches: [
      {
        file: 'engines/kv/secret',
        search: '  if (cas === current) return;',
        replacement: '  if (cas >= 0) return;',
      },
    ],
    trials: [everyday('linearizable')],
  },
  {
    name: 'append-loses-a-field',
    what: 'a patch of a secret with many fields drops the oldest',
    patches: [
      {
        file: 'engines/kv/merge-patch',
        search: 'merged(new Reader(target).object(), ',
        replacement: 'merged(new Map([...new Reader(target).object()].slice(-12)), ',
      },
    ],
    trials: [everyday('list-append')],
  },
  {
    name: 'delete-forgotten',
    what: 'now and then a secret whose removal was acknowledged is still there',
    patches: [
      {
        file: 'store/apply-transaction',
        search: 'for (const { text, write } of deletes) {',
        replacement:
          'for (const { text, write } of deletes) {\n    if (revision % 3 === 0) continue;',
      },
    ],
    trials: [everyday('set-elements')],
  },
  {
    name: 'listing-leaves-out-names',
    what: 'a long folder is listed without the names after the first page',
    patches: [
      {
        file: 'vault/storage/children',
        search: 'if (last === undefined || entries.length < limit) return;',
        replacement: 'if (last === undefined || entries.length <= limit) return;',
      },
    ],
    trials: [everyday('set-elements')],
  },
  {
    name: 'watch-skips',
    what: 'a watch that is resumed begins one change too late',
    patches: [
      {
        file: 'vault/watching',
        search: 'backend.store.revision + 1 : request.afterRevision + 1',
        replacement: 'backend.store.revision + 1 : request.afterRevision + 2',
      },
    ],
    trials: [everyday('watch-complete')],
  },
  {
    name: 'watch-repeats',
    what: 'a watch that is resumed tells the last change again',
    patches: [
      {
        file: 'vault/watching',
        search: 'backend.store.revision + 1 : request.afterRevision + 1',
        replacement: 'backend.store.revision + 1 : request.afterRevision',
      },
    ],
    trials: [everyday('watch-complete')],
  },
  {
    name: 'watch-reorders',
    what: 'changes that are told together are told in another order',
    patches: [
      {
        file: 'store/watch-hub',
        search: '        yield events;',
        replacement: '        yield events.toReversed();',
      },
    ],
    trials: [everyday('watch-complete')],
  },
];
