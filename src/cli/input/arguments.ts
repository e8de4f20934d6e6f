import type { Command } from 'commander';

/** Names that hands know from `vault`, and what they are called here. */
const ALIASES: Readonly<Record<string, string>> = { ns: 'namespace', 'num-uses': 'use-limit' };
/** Take `true` or `false`, and mean true without either. */
const TRUE_ALONE: ReadonlySet<string> = new Set(['cas-required']);

/**
 * Lets hands that know `vault` write long flags as it takes them: with one dash (`-format=json`),
 * switches with a value (`-renewable=false`), and by the names there. Values are left alone, and so
 * is everything after `--`.
 */
export function normaliseFlags(args: readonly string[], program: Command): string[] {
  const switches = switchesOf(program);
  const end = args.indexOf('--');
  const flags = end === -1 ? args : args.slice(0, end);
  return [
    ...flags.flatMap((arg, at) => {
      const [, given = '', value] = /^--?([a-z][a-z-]+)(?:=([^]*))?$/.exec(arg) ?? [];
      if (given === '') return [arg];
      const name = ALIASES[given] ?? given;
      if (value === undefined) {
        const isAlone = TRUE_ALONE.has(name) && !isBoolean(flags[at + 1]);
        return [isAlone ? `--${name}=true` : `--${name}`];
      }
      return isBoolean(value) && (switches.has(name) || switches.has(`no-${name}`))
        ? switched(name, value === 'true', switches)
        : [`--${name}=${value}`];
    }),
    ...args.slice(flags.length),
  ];
}

/** `-renewable=false` is `--no-renewable`, `-orphan=false` nothing at all. */
function switched(name: string, isOn: boolean, switches: ReadonlySet<string>): string[] {
  const wanted = isOn ? name : `no-${name}`;
  return switches.has(wanted) ? [`--${wanted}`] : [];
}

function isBoolean(text: string | undefined): boolean {
  return text === 'true' || text === 'false';
}

/** Long flags without a value, of any command. None of these names takes a value elsewhere. */
function switchesOf(command: Command): Set<string> {
  const own = command.options
    .filter((option) => !option.required && !option.optional)
    .map((option) => (option.long ?? '').replace(/^--/, ''));
  return new Set([...own, ...command.commands.flatMap((inner) => [...switchesOf(inner)])]);
}
