import { StrongroomError } from '../../lib/index.ts';

/** What hands that know `vault` type, and where it is found here. By the words of the command. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  read: 'secrets are read with "strongroom kv get MOUNT/PATH", policies with "strongroom policy read NAME", tokens with "strongroom token lookup"',
  write:
    'secrets are written with "strongroom kv put MOUNT/PATH key=value", policies with "strongroom policy write NAME FILE", tokens are made with "strongroom token create"',
  list: 'secrets are listed with "strongroom kv list MOUNT/FOLDER", policies with "strongroom policy list", mounts with "strongroom secrets list"',
  delete:
    'secrets are deleted with "strongroom kv delete MOUNT/PATH", policies with "strongroom policy delete NAME"',
  auth: 'there are only tokens yet: "strongroom token create", "strongroom login -"',
  'kv enable-versioning': 'every kv mount keeps versions already',
  'operator rekey': 'new shares of a shamir slot: "strongroom operator rotate kek SLOT"',
  'operator generate-root': 'a root token makes another: "strongroom token create -policy=root"',
  'operator migrate': 'seals migrate online: "strongroom operator slot add", then "slot remove"',
  'audit enable': "sinks are named in each node's configuration, under audit.files",
  'audit disable': "sinks are named in each node's configuration, under audit.files",
  'secrets tune': 'the settings of a kv mount: "strongroom kv config put MOUNT"',
};

/**
 * A command line that cannot be understood.
 *
 * @param path the command that was found, such as "strongroom kv".
 * @param text what commander says: "error: unknown command 'gte'\n(Did you mean get?)".
 */
export function usageError(path: string, text: string): StrongroomError {
  const why = text
    .replace(/^error:\s*/i, '')
    .trim()
    .replace(/\n\((.*)\)$/s, '; $1');
  const [, unknown] = /^unknown command '([^']*)'/.exec(why) ?? [];
  const words = [...path.split(' ').slice(1), unknown ?? ''].join(' ');
  const next =
    unknown !== undefined && Object.hasOwn(ELSEWHERE, words)
      ? ELSEWHERE[words]
      : `"${path} --help" shows what there is`;
  return new StrongroomError('cli.usage', `Cannot run "${path}": ${why}`, {
    details: { next: next ?? '' },
  });
}
