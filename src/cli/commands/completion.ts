import { Argument, Command } from 'commander';
import type { Act } from '../session.ts';

/** Prints a script that completes commands and flags in a shell. */
export function completionCommand(act: Act, program: () => Command): Command {
  return new Command('completion')
    .description('print a completion script: source <(strongroom completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(
      act(async (session, shell) => {
        const words = wordsByCommand(program());
        session.io.out(shell === 'fish' ? fishScript(words) : bashScript(words, shell === 'zsh'));
      }),
    );
}

/** For each command line so far ("strongroom kv"): what may come next. */
function wordsByCommand(program: Command): ReadonlyMap<string, readonly string[]> {
  const out = new Map<string, readonly string[]>();
  const globals = flagsOf(program);
  const walk = (command: Command, path: string) => {
    const words = command.commands.map((one) => one.name());
    const choices = command.registeredArguments.flatMap((one) => one.argChoices ?? []);
    out.set(path, [
      ...words,
      ...choices,
      ...flagsOf(command),
      ...(command === program ? [] : globals),
    ]);
    for (const one of command.commands) walk(one, `${path} ${one.name()}`);
  };
  walk(program, 'strongroom');
  return out;
}

function flagsOf(command: Command): string[] {
  return command.options.flatMap((option) => (option.hidden ? [] : (option.long ?? [])));
}

function bashScript(words: ReadonlyMap<string, readonly string[]>, isZsh: boolean): string {
  const cases = [...words].map(([path, next]) => `    '${path}') words='${next.join(' ')}' ;;`);
  return `${isZsh ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_strongroom() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='strongroom' word words='' at
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    case " ${[...words.keys()].join(' , ')} " in
      *" $path $word "*) path="$path $word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _strongroom strongroom
`;
}

function fishScript(words: ReadonlyMap<string, readonly string[]>): string {
  const lines = [...words].flatMap(([path, next]) => {
    const seen = path.split(' ').slice(1);
    const names = next.filter((word) => !word.startsWith('-'));
    const condition =
      seen.length === 0
        ? '__fish_use_subcommand'
        : `${seen.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')}${
            names.length > 0 ? `; and not __fish_seen_subcommand_from ${names.join(' ')}` : ''
          }`;
    return next.map((word) =>
      word.startsWith('--')
        ? `complete -c strongroom -n '${condition}' -l ${word.slice(2)}`
        : `complete -c strongroom -f -n '${condition}' -a ${word}`,
    );
  });
  return `${lines.join('\n')}\n`;
}
