import type { StrongroomError } from '../../lib/index.ts';

/** What to do next, by error code. */
export const hints: Readonly<Record<string, string>> = {
  'auth.permission-denied':
    'set STRONGROOM_TOKEN or run "strongroom login -"; see what a token may do with "strongroom token capabilities PATH"',
  'auth.bad-token': 'the token is unknown, expired or revoked; make a new one',
  'client.unreachable':
    'is the address right (STRONGROOM_ADDR, --address), is the node up, and is its CA given (STRONGROOM_CACERT)?',
  'cluster.join-refused': 'make a new join token: "strongroom operator members join-token"',
  'config.invalid': 'mend the file; docs/configuration.md lists every field',
  'config.unreadable': 'name the right file, with -c or in the configuration',
  'raft.no-leader':
    'wait a moment and retry; if it stays so, see "strongroom operator members list"',
  'raft.outcome-unknown': 'the write may have been made: read it back before writing again',
  'request.deadline-exceeded':
    'the write may have been made: read it back, or give more time with --timeout',
  'request.overloaded': 'wait and retry',
  'request.rate-limited': 'wait and retry',
  'request.unknown-operation':
    'the node may be of another version: compare "strongroom version" with "strongroom status"',
  'seal.already-initialized': 'unseal it instead: "strongroom operator unseal"',
  'seal.uninitialized': 'begin the vault\'s life with "strongroom operator init"',
  'seal.sealed-by-hand': 'lift it with "strongroom operator unseal --auto", or give shares',
  'cli.usage': 'add --help to the command to see its arguments and flags',
  'seal.sealed': 'unseal it: "strongroom operator unseal"; see why with "strongroom status"',
};

/** A next step for a failure; by its code, else by whether trying again makes sense. */
export function hintFor(error: StrongroomError): string | undefined {
  const own = hints[error.code];
  if (own !== undefined) return own;
  switch (error.traits.retry) {
    case 'same-node':
      return 'retry shortly';
    case 'other-node':
      return 'retry, or name another node with --address';
    case 'never':
      return undefined;
  }
}
