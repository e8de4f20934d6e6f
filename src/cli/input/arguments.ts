/**
 * Lets hands that know `vault` write long flags with one dash (`-format=json`). Values are left
 * alone, and so is everything after `--`.
 */
export function normaliseFlags(args: readonly string[]): string[] {
  const end = args.indexOf('--');
  return args.map((arg, at) =>
    (end === -1 || at < end) && /^-[a-z][a-z-]+(?:=|$)/.test(arg) ? `-${arg}` : arg,
  );
}
