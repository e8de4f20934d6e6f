import { Command, Option } from 'commander';
import { StrongroomError, utf8Bytes, utf8Text } from '../../lib/index.ts';
import { parseCount, parseVersions } from '../input/durations.ts';
import { parseExactly, plainNumber, stringifyExactly } from '../input/exact-json.ts';
import { collectList, type JsonObject, readKeyValues } from '../input/key-values.ts';
import { type SecretPath, secretPath } from '../input/secret-path.ts';
import type { Payload } from '../io.ts';
import { cellText, renderKeyValues, renderSection } from '../output/table.ts';
import { timeText } from '../output/times.ts';
import type { Act, Session } from '../session.ts';
import { kvConfigCommand, kvMetadataCommand } from './kv-metadata.ts';
import { listAll, printNames } from './list-all.ts';

const mountFlag = [
  '-m, --mount <mount>',
  'the mount, when it is not the first part of the path',
] as const;
const pathHelp = 'MOUNT/PATH, such as secret/team/db';
const dataHelp = 'key=value, key=@FILE, key=-, @FILE.json or -';

/** Secrets with versions. */
export function kvCommand(act: Act): Command {
  const kv = new Command('kv').description('read and write secrets');
  kv.addCommand(putCommand(act));
  kv.addCommand(patchCommand(act));
  kv.addCommand(getCommand(act));
  kv.addCommand(listCommand(act));
  kv.addCommand(deleteCommand(act));
  for (const [name, operation, done, about] of [
    ['undelete', 'kv.undelete', 'Undeleted', 'bring deleted versions back'],
    ['destroy', 'kv.destroy', 'Destroyed', 'remove versions for good'],
  ] as const) {
    kv.command(name)
      .description(about)
      .argument('<path>', pathHelp)
      .option(...mountFlag)
      .requiredOption('--versions <list>', 'versions, such as 1,2', parseVersions)
      .action(act((session, path = '') => changeVersions(session, operation, path, done)));
  }
  kv.command('rollback')
    .description('make an older version the current one again')
    .argument('<path>', pathHelp)
    .option(...mountFlag)
    .requiredOption('--version <number>', 'the version to bring back', parseCount)
    .action(
      act(async (session, path = '') => {
        const place = secretPath(path, session.options.text('mount'));
        const version = session.options.number('version') ?? 0;
        printWritten(session, await session.call('kv.rollback', { ...place, version }));
      }),
    );
  kv.addCommand(kvMetadataCommand(act));
  kv.addCommand(kvConfigCommand(act));
  return kv;
}

function putCommand(act: Act): Command {
  return new Command('put')
    .description('write a new version of a secret')
    .argument('<path>', pathHelp)
    .argument('<data...>', dataHelp)
    .option(...mountFlag)
    .option(
      '--cas <version>',
      'only if this is the current version; 0: only if there is none',
      parseCount,
    )
    .action(
      act(async (session, path = '', ...data) => {
        const place = secretPath(path, session.options.text('mount'));
        const values = await readKeyValues(data, session.io);
        printWritten(
          session,
          await session.call('kv.put', { ...place, ...encoded(values, session) }),
        );
      }),
    );
}

function patchCommand(act: Act): Command {
  return new Command('patch')
    .description('change some keys of the current version, keep the others')
    .argument('<path>', pathHelp)
    .argument('[data...]', dataHelp)
    .option(...mountFlag)
    .option('--cas <version>', 'only if this is the current version', parseCount)
    .option('--remove-data <key>', 'a key to remove (again, or with commas, for more)', collectList)
    .addOption(
      new Option('--method <method>', '"rw" reads and writes, for tokens that may not patch')
        .choices(['patch', 'rw'])
        .default('patch'),
    )
    .action(
      act(async (session, path = '', ...data) => {
        const place = secretPath(path, session.options.text('mount'));
        const removed = session.options.list('removeData').map((key) => [key, null] as const);
        const values = {
          ...(await readKeyValues(data, session.io)),
          ...Object.fromEntries(removed),
        };
        if (Object.keys(values).length === 0) {
          throw new StrongroomError('cli.usage', 'Nothing to change: give data or --remove-data');
        }
        printWritten(
          session,
          session.options.text('method') === 'rw'
            ? await readAndWrite(session, place, values)
            : await session.call('kv.patch', { ...place, ...encoded(values, session) }),
        );
      }),
    );
}

/** A patch with the rights to read and update alone. Nothing that came in between is overwritten. */
async function readAndWrite(
  session: Session,
  place: SecretPath,
  changes: JsonObject,
): Promise<Payload> {
  const answer = await session.call('kv.get', { ...place, version: 0 });
  const present = dataOf(answer);
  if (present === undefined) {
    throw new StrongroomError('kv.not-found', 'Cannot patch the secret: its version is deleted');
  }
  const kept = Object.entries({ ...present, ...changes }).filter(([, value]) => value !== null);
  const { version } = answer['version'] as Payload;
  return session.call('kv.put', {
    ...place,
    data: utf8Bytes(stringifyExactly(Object.fromEntries(kept))),
    cas: session.options.number('cas') ?? version,
  });
}

function getCommand(act: Act): Command {
  return new Command('get')
    .description('read a secret')
    .argument('<path>', pathHelp)
    .option(...mountFlag)
    .option('--version <number>', 'an older version', parseCount)
    .option('-f, --field <key>', 'print only this value, as it is')
    .action(
      act(async (session, path = '') => {
        const place = secretPath(path, session.options.text('mount'));
        const answer = await session.call('kv.get', {
          ...place,
          version: session.options.number('version') ?? 0,
        });
        const field = session.options.text('field');
        if (field === undefined) printSecret(session, place, answer);
        else printField(session, answer, field);
      }),
    );
}

function listCommand(act: Act): Command {
  return new Command('list')
    .description('list the names in a folder')
    .argument('[path]', `${pathHelp}; with --mount, none is all of it`)
    .option(...mountFlag)
    .option('--after <name>', 'start after this name')
    .option('--limit <count>', 'at most so many', parseCount)
    .action(
      act(async (session, path = '') => {
        const given = session.options.text('mount');
        const { mount, path: folder } = secretPath(path, given);
        const slashed = folder === '' || folder.endsWith('/') ? folder : `${folder}/`;
        const found = await listAll(session, 'kv.list', { mount, path: slashed }, 'names');
        printNames(session, found.items.map(String), found.document);
      }),
    );
}

function deleteCommand(act: Act): Command {
  return new Command('delete')
    .description('delete the current version, or the versions given; they can be undeleted')
    .argument('<path>', pathHelp)
    .option(...mountFlag)
    .option('--versions <list>', 'versions, such as 1,2', parseVersions)
    .action(
      act(async (session, path = '') => {
        if (session.options.has('versions')) {
          await changeVersions(session, 'kv.deleteVersions', path, 'Deleted');
          return;
        }
        const place = secretPath(path, session.options.text('mount'));
        session.printDone('Deleted, if it existed', await session.call('kv.delete', { ...place }));
      }),
    );
}

async function changeVersions(
  session: Session,
  operation: string,
  path: string,
  done: string,
): Promise<void> {
  const place = secretPath(path, session.options.text('mount'));
  const versions = session.options.numbers('versions');
  const answer = await session.call(operation, { ...place, versions });
  session.printDone(`${done}: versions ${versions.join(', ')}`, answer);
}

function encoded(values: JsonObject, session: Session): Payload {
  const cas = session.options.number('cas');
  return { data: utf8Bytes(stringifyExactly(values)), ...(cas === undefined ? {} : { cas }) };
}

function printWritten(session: Session, answer: Payload): void {
  session.printAnswer(answer, { ...versionFields(answer), revision: answer['revision'] });
}

function versionFields(answer: Payload): Readonly<Record<string, unknown>> {
  const version = (answer['version'] ?? {}) as Payload;
  const custom = (answer['customMetadata'] ?? {}) as Payload;
  return {
    created_time: timeText(version['createdAtMs']),
    custom_metadata: Object.keys(custom).length === 0 ? '' : custom,
    deletion_time: timeText(version['deletedAtMs']),
    destroyed: version['destroyed'] === true,
    version: version['version'],
  };
}

function printSecret(
  session: Session,
  place: { mount: string; path: string },
  answer: Payload,
): void {
  const data = dataOf(answer);
  const document = { ...answer, ...place, ...(data === undefined ? { data: null } : { data }) };
  session.print({
    document,
    table: () => {
      const parts = [
        renderSection('Secret Path', `${place.mount}/${place.path}\n`),
        renderSection('Metadata', renderKeyValues(versionFields(answer))),
      ];
      if (data !== undefined) parts.push(renderSection('Data', renderKeyValues(data)));
      return parts.join('\n');
    },
  });
}

function printField(session: Session, answer: Payload, field: string): void {
  const data = dataOf(answer);
  if (data === undefined || !Object.hasOwn(data, field)) {
    throw new StrongroomError(
      'cli.no-such-field',
      `Cannot print field ${JSON.stringify(field)}: this version of the secret does not have it`,
    );
  }
  const value = data[field];
  if (session.format !== 'table') {
    session.print({ document: value, table: () => '' });
    return;
  }
  // Exactly the value for pipes; a line break only for eyes.
  const text = plainNumber(value);
  session.io.out(
    `${typeof text === 'string' ? text : cellText(text)}${session.io.isTerminal ? '\n' : ''}`,
  );
}

function dataOf(answer: Payload): JsonObject | undefined {
  const data = answer['data'];
  return data instanceof Uint8Array ? (parseExactly(utf8Text(data)) as JsonObject) : undefined;
}
