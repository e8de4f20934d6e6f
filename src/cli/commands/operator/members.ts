import { Command, Option } from 'commander';
import { StrongroomError } from '../../../lib/index.ts';
import { parseCount, parseDuration } from '../../input/durations.ts';
import { writeNewSecretFile } from '../../input/secret-file.ts';
import { readSecretText } from '../../input/secret-text.ts';
import type { Payload } from '../../io.ts';
import { renderKeyValues, renderTable, textOf } from '../../output/table.ts';
import { durationText, timeText } from '../../output/times.ts';
import type { Act, Session } from '../../session.ts';
import { snapshotCommand } from './snapshot.ts';

const TOKEN_TTL = '1h';

/** Who belongs to the cluster. */
export function membersCommand(act: Act): Command {
  const members = new Command('members').description('list, add, promote and remove nodes');
  members
    .command('list', { isDefault: true })
    .description('list the nodes, their roles and how far each is')
    .action(act(list));
  members.addCommand(joinTokenCommand(act));
  members
    .command('join')
    .description('give this machine its join token; the node joins when it is started')
    .argument('[token]', '"-" (standard input) or @FILE; without it the terminal asks')
    .requiredOption('-c, --config <file>', "the node's configuration, with its join section")
    .action(act(join));
  for (const [name, change] of Object.entries(changes)) addChange(members, name, change, act);
  return members;
}

/** What `vault operator raft` calls the members and snapshots. */
export function raftCommand(act: Act): Command {
  const raft = new Command('raft').description('members and snapshots, as vault calls them');
  raft.command('list-peers').description('as "operator members list"').action(act(list));
  addChange(raft, 'promote', changes.promote, act);
  addChange(raft, 'demote', changes.demote, act);
  addChange(raft, 'remove-peer', changes.remove, act);
  raft.addCommand(snapshotCommand(act));
  return raft;
}

const changes = {
  promote: ['cluster.promote', 'make a learner that has caught up a voter', 'is a voter'],
  demote: ['cluster.demote', 'make a voter a learner', 'is a learner'],
  remove: ['cluster.remove', 'take a node out for good', 'is removed'],
} as const;

function addChange(
  to: Command,
  name: string,
  [operation, about, done]: (typeof changes)[keyof typeof changes],
  act: Act,
): void {
  to.command(name)
    .description(about)
    .argument('<node>', "the node's id or name")
    .action(
      act(async (session, which = '') => {
        const node = await nodeId(session, which);
        session.printDone(`Node ${which} ${done}`, await session.call(operation, { node }));
      }),
    );
}

async function list(session: Session): Promise<void> {
  const answer = await session.call('cluster.status', {});
  session.print({ document: answer, table: () => membersTable(answer) });
}

export function membersTable(answer: Payload): string {
  const members = (answer['members'] ?? []) as readonly Payload[];
  return renderTable(
    ['Id', 'Name', 'Region', 'Kind', 'Role', 'Term', 'Applied', 'Lag', 'Seal', 'API', 'State'],
    members.map((one) => [
      String(one['node']),
      String(one['name']),
      String(one['region']),
      String(one['kind']),
      String(one['role']),
      textOf(one['term']),
      textOf(one['applied']),
      lagText(one),
      textOf(one['sealState']),
      String(one['apiAddress']),
      one['healthy'] === true ? 'ok' : textOf(one['reason']) || 'not healthy',
    ]),
  );
}

export function lagText(member: Payload): string {
  const entries = Number(member['lagEntries'] ?? 0);
  const ms = Number(member['lagMs'] ?? 0);
  return entries === 0 && ms === 0 ? '0' : `${entries} (${durationText(ms)})`;
}

function joinTokenCommand(act: Act): Command {
  return new Command('join-token')
    .description('make a one-use token with which one node may join')
    .addOption(
      new Option('--kind <kind>', 'what the node will be')
        .choices(['voter', 'replica'])
        .default('voter'),
    )
    .option('--node-region <region>', 'where it will stand')
    .option('--name <name>', 'only a node of this name may use it')
    .option('--ttl <duration>', 'how long it is good', parseDuration, parseDuration(TOKEN_TTL))
    .option('--out <file>', 'write the token to a new file (mode 0600), show nothing')
    .action(
      act(async (session) => {
        const { options } = session;
        const answer = await session.call('cluster.createJoinToken', {
          kind: options.text('kind') ?? 'voter',
          // `--region` says nothing else here: one leader makes join tokens.
          region: options.text('nodeRegion') ?? options.text('region') ?? '',
          ttlMs: options.number('ttl') ?? 0,
          name: options.text('name') ?? '',
        });
        const out = options.text('out');
        const { joinToken, ...rest } = answer;
        if (out !== undefined) writeNewSecretFile(out, `${String(joinToken)}\n`);
        session.print({
          document: out === undefined ? answer : { ...rest, file: out },
          table: () =>
            renderKeyValues({
              ...(out === undefined ? { join_token: joinToken } : { written_to: out }),
              expires: timeText(answer['expiresAtMs']),
            }),
        });
      }),
    );
}

async function join(session: Session, from?: string): Promise<void> {
  const { readNodeConfig } = await import('../../../server/config/index.ts');
  const file = session.options.text('config') ?? '';
  const config = readNodeConfig(file);
  if (config.join === undefined) {
    throw new StrongroomError(
      'config.invalid',
      `Cannot join with configuration ${file}: it has no join section; name tokenFile and addresses there`,
    );
  }
  const token = await readSecretText(session.io, from, 'join token');
  if (!/^srj\.[A-Za-z0-9_-]+$/.test(token)) {
    throw new StrongroomError(
      'cli.usage',
      'Cannot use this join token: it must begin with "srj."; copy it again, whole',
    );
  }
  writeNewSecretFile(config.join.tokenFile, `${token}\n`);
  session.printDone(
    `Join token kept in ${config.join.tokenFile}. Start the node: strongroom server -c ${file}`,
    { tokenFile: config.join.tokenFile, config: file },
  );
}

/** @throws StrongroomError `cli.usage` for a name that no member has. */
async function nodeId(session: Session, which: string): Promise<number> {
  if (/^\d+$/.test(which)) return parseCount(which);
  const status = await session.call('cluster.status', {});
  const members = (status['members'] ?? []) as readonly Payload[];
  const found = members.find((one) => one['name'] === which);
  if (found !== undefined) return Number(found['node']);
  const names = members.map((one) => String(one['name'])).join(', ');
  throw new StrongroomError('cli.usage', `No member is named ${JSON.stringify(which)}: ${names}`);
}
