import type { Model } from './checker.ts';

export type SecretInput =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly cas?: number }
  | { readonly kind: 'get'; readonly key: string };

export type SecretOutput =
  | { readonly kind: 'put'; readonly version: number; readonly revision: number }
  | { readonly kind: 'cas-mismatch' }
  | {
      readonly kind: 'got';
      readonly value: string;
      readonly version: number;
      readonly revision: number;
    }
  | { readonly kind: 'absent'; readonly revision: number };

interface SecretState {
  readonly value: string | undefined;
  readonly version: number;
  /** No later operation may answer with an earlier revision. */
  readonly revision: number;
}

/**
 * One versioned secret, with its revisions: they catch far more than values do, because every
 * answer pins down a place in the one order of all writes.
 */
export const secretModel: Model<SecretState, SecretInput, SecretOutput> = {
  keyOf: (input) => input.key,
  initial: { value: undefined, version: 0, revision: 0 },
  describe: (state) => `${state.version}@${state.revision}:${state.value ?? ''}`,
  step(state, input, output) {
    if (input.kind === 'get') return output === undefined ? state : stepGet(state, output);
    const refused = input.cas !== undefined && input.cas !== state.version;
    const written = { value: input.value, version: state.version + 1, revision: state.revision };
    if (output === undefined) return refused ? state : written;
    if (output.kind === 'cas-mismatch') return refused ? state : undefined;
    if (refused || output.kind !== 'put' || output.version !== written.version) return undefined;
    return output.revision > state.revision ? { ...written, revision: output.revision } : undefined;
  },
};

function stepGet(state: SecretState, output: SecretOutput): SecretState | undefined {
  if (output.kind !== 'got' && output.kind !== 'absent') return undefined;
  if (output.revision < state.revision) return undefined;
  const matches =
    output.kind === 'absent'
      ? state.value === undefined
      : state.value === output.value && state.version === output.version;
  return matches ? { ...state, revision: output.revision } : undefined;
}
