import { Command } from 'commander';
import { StrongroomError } from '../../lib/index.ts';
import type { Act } from '../session.ts';
import { resolveTarget } from '../target.ts';

/** What a command would use. */
export function printCommand(act: Act): Command {
  const print = new Command('print').description('print what commands use');
  print
    .command('token')
    .description('print the token in use, of STRONGROOM_TOKEN or of "strongroom login"')
    .action(
      act(async (session) => {
        const { token } = resolveTarget(session.io, session.options);
        if (token === undefined || token === '') {
          throw new StrongroomError(
            'cli.usage',
            'Cannot print a token: there is none; set STRONGROOM_TOKEN or run "strongroom login -"',
          );
        }
        session.io.out(`${token}${session.io.isTerminal ? '\n' : ''}`);
      }),
    );
  return print;
}
