import { Command, Option } from 'commander';
import { StrongroomError } from '../../lib/index.ts';
import { parseCount, parseDuration } from '../input/durations.ts';
import { collectList, collectPair } from '../input/key-values.ts';
import { readSecretText } from '../input/secret-text.ts';
import type { Payload } from '../io.ts';
import { cellText, renderTable, textOf } from '../output/table.ts';
import { durationText, timeText } from '../output/times.ts';
import type { Act, Session } from '../session.ts';
import { listAll, printNames } from './list-all.ts';

const whichHelp = '"-" (standard input) or @FILE with the token; without it, your own';
const accessorFlag = ['--accessor <accessor>', 'name the token by its accessor'] as const;

/** Tokens: made, looked at, renewed, revoked. */
export function tokenCommand(act: Act): Command {
  const token = new Command('token').description('make, look up, renew and revoke tokens');
  token.addCommand(createCommand(act));
  token
    .command('lookup')
    .description('show what a token is; the token itself is not shown')
    .argument('[token]', whichHelp)
    .option(...accessorFlag)
    .option('-f, --field <name>', 'print only this field of the answer, such as ttlMs')
    .action(
      act(async (session, which) => {
        const named = await namedToken(session, which);
        const { token: _hidden, ...answer } = await (named === undefined
          ? session.call('token.lookupSelf', {})
          : session.call('token.lookup', named));
        const field = session.options.text('field');
        if (field === undefined) printLookup(session, answer);
        else session.io.out(`${fieldOf(answer, field)}${session.io.isTerminal ? '\n' : ''}`);
      }),
    );
  token
    .command('renew')
    .description('give a token more time')
    .argument('[token]', whichHelp)
    .option(...accessorFlag)
    .option('--increment <duration>', 'how much, such as 1h', parseDuration)
    .action(
      act(async (session, which) => {
        const incrementMs = session.options.number('increment') ?? 0;
        const named = await namedToken(session, which);
        const answer = await (named === undefined
          ? session.call('token.renewSelf', { incrementMs })
          : session.call('token.renew', { ...named, incrementMs }));
        printAuth(session, answer, 'hide');
      }),
    );
  token.addCommand(revokeCommand(act));
  token
    .command('list')
    .description('list the accessors of all tokens')
    .option('--after <accessor>', 'start after this one')
    .option('--limit <count>', 'at most so many', parseCount)
    .action(
      act(async (session) => {
        const found = await listAll(session, 'token.listAccessors', {}, 'accessors');
        printNames(session, found.items.map(String), found.document);
      }),
    );
  token
    .command('capabilities')
    .description('show what a token may do at paths')
    .argument('<paths...>', 'paths as policies write them, such as secret/data/team/db')
    .option('--token <source>', whichHelp)
    .option(...accessorFlag)
    .action(act(capabilities));
  return token;
}

function createCommand(act: Act): Command {
  return new Command('create')
    .description('make a token; it is shown once')
    .option('-p, --policy <name>', 'a policy of it (again, or with commas, for more)', collectList)
    .option('--ttl <duration>', 'how long it lives', parseDuration)
    .option('--explicit-max-ttl <duration>', 'renewals never go beyond this', parseDuration)
    .option('--period <duration>', 'renewable for ever, by this much', parseDuration)
    .option('--use-limit <count>', 'good for so many requests', parseCount)
    .option('--display-name <name>', 'shown in the audit log')
    .option('--metadata <key=value>', 'shown in the audit log; again for more', collectPair)
    .option('--orphan', 'does not die with your token')
    .option('--no-default-policy', 'without the default policy')
    .option('--no-renewable', 'cannot be renewed')
    .addOption(new Option('--type <type>', 'there is one kind').choices(['service', 'default']))
    .option('-f, --field <name>', 'print only this field of the answer, such as token')
    .action(
      act(async (session) => {
        const { options } = session;
        const answer = await session.call('token.create', {
          policies: options.list('policy'),
          ttlMs: options.number('ttl') ?? 0,
          explicitMaxTtlMs: options.number('explicitMaxTtl') ?? 0,
          periodMs: options.number('period') ?? 0,
          numUses: options.number('useLimit') ?? 0,
          ...(options.flag('renewable') ? {} : { renewable: false }),
          noParent: options.flag('orphan'),
          noDefaultPolicy: !options.flag('defaultPolicy'),
          displayName: options.text('displayName') ?? '',
          meta: options.pairs('metadata'),
        });
        const field = options.text('field');
        if (field === undefined) printAuth(session, answer, 'show');
        else session.io.out(`${fieldOf(answer, field)}${session.io.isTerminal ? '\n' : ''}`);
      }),
    );
}

function revokeCommand(act: Act): Command {
  return new Command('revoke')
    .description('end a token, and with it its children')
    .argument('[token]', '"-" (standard input) or @FILE with the token')
    .option(...accessorFlag)
    .option('--self', 'your own token')
    .option('--orphan', 'leave its children alive')
    .addOption(new Option('--mode <mode>', 'orphan: as --orphan').choices(['orphan']))
    .action(
      act(async (session, which) => {
        const named = await namedToken(session, which);
        if (named === undefined && !session.options.flag('self')) {
          throw new StrongroomError(
            'cli.usage',
            'Cannot tell which token to revoke: give "-", @FILE, --accessor or --self',
          );
        }
        const leavesOrphans =
          session.options.flag('orphan') || session.options.text('mode') === 'orphan';
        const operation = leavesOrphans ? 'token.revokeOrphan' : 'token.revoke';
        const answer = await (named === undefined
          ? session.call('token.revokeSelf', {})
          : session.call(operation, named));
        session.printDone('Revoked', answer);
      }),
    );
}

async function capabilities(session: Session, ...paths: string[]): Promise<void> {
  const named = (await namedToken(session, session.options.text('token'))) ?? {};
  const answer = await session.call('token.capabilities', { paths, ...named });
  const found = (answer['paths'] ?? []) as readonly Payload[];
  session.print({
    document: answer,
    table: () =>
      renderTable(
        ['Path', 'Capabilities'],
        found.map((one) => [
          String(one['path']),
          ((one['capabilities'] ?? []) as string[]).join(', '),
        ]),
      ),
  });
}

/** A token named by `-`, `@FILE` or its accessor; undefined: the caller's own. */
async function namedToken(
  session: Session,
  from: string | undefined,
): Promise<Payload | undefined> {
  const accessor = session.options.text('accessor');
  if (accessor !== undefined && from !== undefined) {
    throw new StrongroomError('cli.usage', 'Cannot take both a token and --accessor: give one');
  }
  if (accessor !== undefined) return { accessor };
  return from === undefined
    ? undefined
    : { token: await readSecretText(session.io, from, 'token') };
}

function fieldOf(answer: Payload, field: string): string {
  const value = answer[field];
  if (value === undefined) {
    throw new StrongroomError(
      'cli.no-such-field',
      `Cannot print field ${JSON.stringify(field)}: the answer has ${Object.keys(answer).join(', ')}`,
    );
  }
  return textOf(value);
}

function printAuth(session: Session, answer: Payload, token: 'show' | 'hide'): void {
  const { token: text, ...rest } = answer;
  const ttl = answer['ttlMs'];
  session.print({
    document: token === 'show' ? answer : rest,
    table: () => {
      const rows: [string, unknown][] = [
        ...(token === 'show' ? [['token', text] as [string, unknown]] : []),
        ['accessor', answer['accessor']],
        ['duration', typeof ttl === 'number' && ttl > 0 ? durationText(ttl) : 'never ends'],
        ['renewable', answer['renewable'] === true],
        ['policies', answer['policies']],
        ['orphan', answer['orphan'] === true],
        ['uses', answer['numUses'] === 0 ? 'any number' : answer['numUses']],
      ];
      return renderTable(
        ['Key', 'Value'],
        rows.map(([key, value]) => [
          `token_${key}`.replace('token_token', 'token'),
          cellText(value),
        ]),
      );
    },
  });
  for (const warning of (answer['warnings'] ?? []) as string[])
    session.io.err(`Warning: ${warning}\n`);
}

function printLookup(session: Session, answer: Payload): void {
  const ttl = answer['ttlMs'];
  session.printAnswer(answer, {
    accessor: answer['accessor'],
    display_name: answer['displayName'],
    namespace: answer['namespace'] === '' ? 'root' : answer['namespace'],
    policies: answer['policies'],
    path: answer['path'],
    created: timeText(answer['createdAtMs']),
    expires: timeText(answer['expiresAtMs']),
    ttl: typeof ttl === 'number' && ttl > 0 ? durationText(ttl) : 'never ends',
    renewable: answer['renewable'] === true,
    last_renewed: timeText(answer['lastRenewedAtMs']),
    uses: answer['numUses'] === 0 ? 'any number' : answer['numUses'],
    orphan: answer['orphan'] === true,
    meta: answer['meta'],
  });
}
