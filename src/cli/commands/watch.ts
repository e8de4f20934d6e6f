import { Command } from 'commander';
import { parseCount } from '../input/durations.ts';
import { secretPath } from '../input/secret-path.ts';
import { safeForTerminal } from '../output/table.ts';
import type { Act } from '../session.ts';

/** Changes below a path as they happen: one line an event, JSON lines for programs. */
export function watchCommand(act: Act): Command {
  return new Command('watch')
    .description('print changes of secrets as they happen: names and versions, no values')
    .argument('<path>', 'MOUNT/PATH; everything below it')
    .option('-m, --mount <mount>', 'the mount, when it is not the first part of the path')
    .option(
      '--after <revision>',
      'resume after this revision; from now on when not given',
      parseCount,
    )
    .action(
      act(async (session, argument = '') => {
        const { io, options } = session;
        const place = secretPath(argument, options.text('mount'));
        const client = await session.client();
        const afterRevision = options.number('after') ?? 0;
        const told = client.watch({ ...place, afterRevision }, io.signal, {
          onInterrupted: ({ message }) =>
            io.err(`Waiting for a node: ${safeForTerminal(message)}\n`),
          onResumed: () => io.err('Watching again, nothing was missed\n'),
        });
        for await (const batch of told) {
          for (const event of batch.events) {
            io.out(
              session.format === 'table'
                ? `${[event['revision'], event['kind'], safeForTerminal(String(event['path'])), event['version']].map(String).join('\t')}\n`
                : `${JSON.stringify(event)}\n`,
            );
          }
        }
      }),
    );
}
