import { StrongroomError } from '../../lib/index.ts';

export interface SecretPath {
  readonly mount: string;
  readonly path: string;
}

/**
 * Splits `secret/team/db` into mount and path; with `--mount` the argument is the path alone.
 *
 * @throws StrongroomError `cli.usage`
 */
export function secretPath(argument: string, mount: string | undefined): SecretPath {
  const text = argument.replace(/^\/+/, '');
  if (mount !== undefined) return { mount: mount.replace(/^\/+|\/+$/g, ''), path: text };
  const at = text.indexOf('/');
  const found = at === -1 ? text : text.slice(0, at);
  if (found === '') {
    throw new StrongroomError(
      'cli.usage',
      'Cannot tell the mount: write MOUNT/PATH or give --mount',
    );
  }
  return { mount: found, path: at === -1 ? '' : text.slice(at + 1) };
}
