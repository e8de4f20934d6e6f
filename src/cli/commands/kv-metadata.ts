import { Command } from 'commander';
import { StrongroomError } from '../../lib/index.ts';
import { parseCount, parseDuration } from '../input/durations.ts';
import { collectList, collectPair } from '../input/key-values.ts';
import { secretPath } from '../input/secret-path.ts';
import type { Payload } from '../io.ts';
import { renderKeyValues, renderSection, renderTable } from '../output/table.ts';
import { exactDurationText, timeText } from '../output/times.ts';
import type { Act, Session } from '../session.ts';

const mountFlag = [
  '-m, --mount <mount>',
  'the mount, when it is not the first part of the path',
] as const;
const pathHelp = 'MOUNT/PATH, such as secret/team/db';

/** What is known of a secret beside its values. */
export function kvMetadataCommand(act: Act): Command {
  const metadata = new Command('metadata').description(
    "a secret's versions, limits and custom metadata",
  );
  metadata
    .command('get')
    .description('show it')
    .argument('<path>', pathHelp)
    .option(...mountFlag)
    .action(
      act(async (session, path = '') => {
        const place = secretPath(path, session.options.text('mount'));
        printMetadata(session, await session.call('kv.getMetadata', { ...place }));
      }),
    );
  for (const [name, operation, about] of [
    ['put', 'kv.putMetadata', 'set it; custom metadata is replaced as a whole'],
    ['patch', 'kv.patchMetadata', 'change parts of it'],
  ] as const) {
    const command = metadata
      .command(name)
      .description(about)
      .argument('<path>', pathHelp)
      .option(...mountFlag)
      .option('--custom-metadata <key=value>', 'not secret; again for more', collectPair);
    withLimits(command);
    if (name === 'patch') {
      command.option('--remove-custom-metadata <key>', 'a key to remove', collectList);
    }
    command.action(act((session, path = '') => changeMetadata(session, operation, path)));
  }
  metadata
    .command('delete')
    .description('remove the secret with all its versions, for good')
    .argument('<path>', pathHelp)
    .option(...mountFlag)
    .action(
      act(async (session, path = '') => {
        const place = secretPath(path, session.options.text('mount'));
        const answer = await session.call('kv.deleteMetadata', { ...place });
        session.printDone('Removed with all versions, if it existed', answer);
      }),
    );
  return metadata;
}

/** Defaults of a whole mount. */
export function kvConfigCommand(act: Act): Command {
  const config = new Command('config').description('defaults of a mount');
  config
    .command('get')
    .description('show them')
    .argument('<mount>')
    .action(
      act(async (session, mount = '') => {
        const answer = await session.call('kv.getConfig', { mount: mount.replace(/\/$/, '') });
        session.printAnswer(answer, limitFields(answer));
      }),
    );
  withLimits(config.command('put').description('set them').argument('<mount>')).action(
    act(async (session, mount = '') => {
      const request = { mount: mount.replace(/\/$/, ''), ...limits(session) };
      session.printDone('Set', await session.call('kv.putConfig', request));
    }),
  );
  return config;
}

function withLimits(command: Command): Command {
  return command
    .option('--max-versions <count>', 'versions to keep; 0: the default', parseCount)
    .option(
      '--cas-required <true|false>',
      'every write must name the current version',
      parseBoolean,
    )
    .option(
      '--delete-version-after <duration>',
      'delete versions by themselves, such as 30d; 0: never',
      parseDuration,
    );
}

/** @throws StrongroomError `cli.usage` */
function parseBoolean(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new StrongroomError(
    'cli.usage',
    `Cannot read ${JSON.stringify(text)}: write true or false`,
  );
}

function limits(session: Session): Payload {
  const { options } = session;
  const maxVersions = options.number('maxVersions');
  const deleteVersionAfterMs = options.number('deleteVersionAfter');
  return {
    ...(maxVersions === undefined ? {} : { maxVersions }),
    ...(options.has('casRequired') ? { casRequired: options.flag('casRequired') } : {}),
    ...(deleteVersionAfterMs === undefined ? {} : { deleteVersionAfterMs }),
  };
}

async function changeMetadata(session: Session, operation: string, path: string): Promise<void> {
  const { options } = session;
  const place = secretPath(path, options.text('mount'));
  const isCustomGiven = options.has('customMetadata') || options.has('removeCustomMetadata');
  const answer = await session.call(operation, {
    ...place,
    ...limits(session),
    ...(isCustomGiven
      ? {
          customMetadata: {
            entries: options.pairs('customMetadata'),
            remove: options.list('removeCustomMetadata'),
          },
        }
      : {}),
  });
  session.printDone('Metadata written', answer);
}

function limitFields(answer: Payload): Readonly<Record<string, unknown>> {
  const after = answer['deleteVersionAfterMs'];
  return {
    cas_required: answer['casRequired'] === true,
    delete_version_after: exactDurationText(typeof after === 'number' ? after : 0),
    max_versions: answer['maxVersions'] ?? 0,
  };
}

function printMetadata(session: Session, answer: Payload): void {
  const versions = (answer['versions'] ?? []) as readonly Payload[];
  const custom = (answer['customMetadata'] ?? {}) as Payload;
  session.print({
    document: answer,
    table: () =>
      [
        renderSection(
          'Metadata',
          renderKeyValues({
            ...limitFields(answer),
            created_time: timeText(answer['createdAtMs']),
            updated_time: timeText(answer['updatedAtMs']),
            current_version: answer['currentVersion'] ?? 0,
            oldest_version: answer['oldestVersion'] ?? 0,
            custom_metadata: Object.keys(custom).length === 0 ? '' : custom,
          }),
        ),
        renderSection(
          'Versions',
          renderTable(
            ['Version', 'Created', 'Deleted', 'Destroyed'],
            versions.map((version) => [
              String(version['version']),
              timeText(version['createdAtMs']),
              timeText(version['deletedAtMs']),
              String(version['destroyed'] === true),
            ]),
          ),
        ),
      ].join('\n'),
  });
}
