import type { SeededFault, Trial } from '../seeded-fault.ts';

const trials: readonly Trial[] = [
  { scenario: 'tokens', ground: 'processes', by: ['token-lifetimes'] },
];

/** Faults of tokens and of what they may do. */
export const tokenFaults: readonly SeededFault[] = [
  {
    name: 'revoked-token-honoured',
    what: 'a node goes on honouring a token that it has seen before its revocation',
    patches: [
      {
        file: 'vault/record-cache',
        search: '      this.#forget(entry);\n    }\n  }\n}',
        replacement:
          "      if (!entry.id.startsWith('token:')) this.#forget(entry);\n    }\n  }\n}",
      },
    ],
    trials,
  },
  {
    name: 'children-outlive-their-parent',
    what: 'the children of a revoked token stay good',
    patches: [
      {
        file: 'vault/tokens/authenticator',
        search: '      if (parent === undefined) return false;',
        replacement: '      if (parent === undefined) return true;',
      },
      {
        file: 'vault/tokens/authenticator',
        search: '      if (!isUsable(parent, nowMs)) return false;\n',
        replacement: '',
      },
      {
        file: 'vault/tokens/token-reaper',
        search: "return { ...rest, revoked: 'with-children' };",
        replacement: 'return { ...rest, depth: 0 };',
      },
    ],
    trials,
  },
  {
    name: 'token-expires-late',
    what: 'a token is good for seconds after its time',
    patches: [
      {
        file: 'vault/tokens/authenticator',
        search: 'record.expiresAtMs > nowMs);',
        replacement: 'record.expiresAtMs + 5_000 > nowMs);',
      },
      {
        file: 'vault/tokens/token-reaper',
        search: '(record.expiresAtMs > 0 && record.expiresAtMs <= nowMs)',
        replacement: '(record.expiresAtMs > 0 && record.expiresAtMs + 5_000 <= nowMs)',
      },
    ],
    trials,
  },
  {
    name: 'token-expires-early',
    what: 'a token is refused seconds before its time',
    patches: [
      {
        file: 'vault/tokens/authenticator',
        search: 'record.expiresAtMs > nowMs);',
        replacement: 'record.expiresAtMs - 3_000 > nowMs);',
      },
    ],
    trials,
  },
  {
    name: 'uses-not-counted',
    what: 'a token with few uses has any number',
    patches: [
      {
        file: 'vault/tokens/token-uses',
        search: 'usesLeft: record.usesLeft === 1 ? SPENT : record.usesLeft - 1,',
        replacement: 'usesLeft: record.usesLeft === SPENT ? SPENT : record.usesLeft,',
      },
    ],
    trials,
  },
  {
    name: 'policies-not-asked',
    what: 'any token may read any secret',
    patches: [
      {
        file: 'vault/authorise',
        search: '    if (!may(true)) throw permissionDenied();\n    return',
        replacement: '    may(true);\n    return',
      },
    ],
    trials,
  },
];
