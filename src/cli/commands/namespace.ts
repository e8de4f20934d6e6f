import { Command, Option } from 'commander';
import { StrongroomError } from '../../lib/index.ts';
import { parseCount } from '../input/durations.ts';
import { collectPair } from '../input/key-values.ts';
import type { Payload } from '../io.ts';
import { renderTable, textOf } from '../output/table.ts';
import type { Act } from '../session.ts';
import { listAll } from './list-all.ts';

/** Tenants with a key of their own. */
export function namespaceCommand(act: Act): Command {
  const namespace = new Command('namespace').description('make and remove tenants');
  const place = ['<path>', 'relative to your namespace, such as team-a'] as const;
  for (const [name, operation, about] of [
    ['create', 'namespace.create', 'make one, with a key of its own'],
    ['lookup', 'namespace.get', 'show one'],
  ] as const) {
    namespace
      .command(name)
      .description(about)
      .argument(...place)
      .action(
        act(async (session, path = '') =>
          session.printAnswer(await session.call(operation, { path: bare(path) })),
        ),
      );
  }
  namespace
    .command('list')
    .description('list those below yours')
    .option('--after <path>', 'start after this one')
    .option('--limit <count>', 'at most so many', parseCount)
    .action(
      act(async (session) => {
        const found = await listAll(session, 'namespace.list', {}, 'namespaces', (item) =>
          String((item as Payload)['path']),
        );
        const rows = found.items.map((item) => {
          const one = item as Payload;
          return [String(one['path']), String(one['id'])];
        });
        session.print({
          document: found.document,
          table: () => (rows.length === 0 ? 'None.\n' : renderTable(['Path', 'Id'], rows)),
        });
      }),
    );
  namespace
    .command('delete')
    .description('destroy its key, and with it everything inside')
    .argument(...place)
    .option('--yes', 'needed: there is no way back')
    .action(
      act(async (session, path = '') => {
        if (!session.options.flag('yes')) {
          throw new StrongroomError(
            'cli.usage',
            `Cannot delete namespace ${JSON.stringify(path)} without --yes: its key and everything inside are destroyed`,
          );
        }
        session.printDone(
          'Destroyed',
          await session.call('namespace.delete', { path: bare(path) }),
        );
      }),
    );
  return namespace;
}

/** `vault` writes paths of namespaces and mounts with a final slash, and takes them so. */
function bare(path: string): string {
  return path.replace(/\/$/, '');
}

/** Mounted engines. */
export function secretsCommand(act: Act): Command {
  const secrets = new Command('secrets').description('mount and unmount secrets engines');
  secrets
    .command('list')
    .description('list the mounts of the namespace')
    .option('--detailed', 'with their ids and options')
    .action(
      act(async (session) => {
        const answer = await session.call('namespace.listMounts', {});
        const mounts = (answer['mounts'] ?? []) as readonly Payload[];
        session.print({
          document: answer,
          table: () =>
            mounts.length === 0 ? 'None.\n' : mountTable(mounts, session.options.flag('detailed')),
        });
      }),
    );
  secrets
    .command('enable')
    .description('mount an engine')
    .argument('<type>', 'such as kv')
    .option('--path <path>', 'where; the type when not given')
    .option('--description <text>', 'for people')
    .option('--option <key=value>', 'an option of the engine; again for more', collectPair)
    .addOption(new Option('--version <number>', 'of the kv engine; there is only 2').choices(['2']))
    .action(
      act(async (session, given = '') => {
        const type = given === 'kv-v2' ? 'kv' : given;
        const path = bare(session.options.text('path') ?? type);
        const answer = await session.call('namespace.mount', {
          path,
          type,
          description: session.options.text('description') ?? '',
          options: session.options.pairs('option'),
        });
        session.printDone(`Mounted ${type} at ${path}/`, answer);
      }),
    );
  secrets
    .command('disable')
    .description('unmount an engine and remove what it holds')
    .argument('<path>')
    .option('--yes', 'needed: there is no way back')
    .action(
      act(async (session, given = '') => {
        const path = bare(given);
        if (!session.options.flag('yes')) {
          throw new StrongroomError(
            'cli.usage',
            `Cannot unmount ${JSON.stringify(path)} without --yes: everything in it is removed`,
          );
        }
        const answer = await session.call('namespace.unmount', { path });
        session.printDone(`Unmounted ${path}/`, answer);
      }),
    );
  return secrets;
}

function mountTable(mounts: readonly Payload[], isDetailed: boolean): string {
  return renderTable(
    ['Path', 'Type', ...(isDetailed ? ['Id', 'Options'] : []), 'Description'],
    mounts.map((one) => [
      `${String(one['path'])}/`,
      String(one['type']),
      ...(isDetailed ? [String(one['id']), textOf(one['options'])] : []),
      textOf(one['description']),
    ]),
  );
}
