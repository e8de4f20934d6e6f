import type { StrongroomError } from '../../lib/index.ts';

/** What to do next, by error code. */
export const hints: Readonly<Record<string, string>> = {
  'auth.permission-denied':
    'set STRONGROOM_TOKEN or run "strongroom login -"; see what a token may do with "strongroom token capabilities PATH"',
  'auth.bad-token': 'the token is unknown, expired or revoked; make a new one',
  'cli.file-unreadable': 'name a file that is there and that you may read',
  'cli.file-unwritable': 'name a place where you may write, with space left',
  'client.unreachable':
    'is the address right (STRONGROOM_ADDR, --address), is the node up, and is its CA given (STRONGROOM_CACERT)?',
  'cluster.join-refused': 'make a new join token: "strongroom operator members join-token"',
  'config.invalid': 'mend the file; docs/configuration.md lists every field',
  'config.unreadable': 'name the right file, with -c or in the configuration',
  'kv.not-found': 'see what there is: "strongroom kv list MOUNT/FOLDER"',
  'kv.version-not-found': 'see its versions: "strongroom kv metadata get MOUNT/PATH"',
  'kv.version-deleted': 'bring it back first: "strongroom kv undelete -versions=N MOUNT/PATH"',
  'kv.check-and-set-mismatch':
    'read it again ("strongroom kv metadata get MOUNT/PATH" shows the current version) and give that as -cas',
  'kv.check-and-set-required': 'give the current version as -cas, or -cas=0 for a new secret',
  'mount.not-found': 'see what is mounted: "strongroom secrets list"; a path is MOUNT/PATH',
  'mount.in-use': 'see what is mounted: "strongroom secrets list"',
  'namespace.not-found':
    'see what there is: "strongroom namespace list"; is STRONGROOM_NAMESPACE what you mean?',
  'namespace.not-empty': 'see what is inside: "strongroom namespace list -namespace=PATH"',
  'policy.not-found': 'see what there is: "strongroom policy list"',
  'policy.invalid': 'mend the text; "strongroom policy fmt FILE" checks it without a server',
  'store.compacted': 'read everything anew, then watch from there',
  'token.not-renewable': 'make a new token: "strongroom token create"',
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
  const said = error.details['next'];
  if (error.code === 'cli.usage' && typeof said === 'string') return said;
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
