import { writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { StrongroomError } from '../../lib/index.ts';
import { exitStatus } from '../errors/exit-status.ts';
import { parseCount } from '../input/durations.ts';
import { readTextFile } from '../input/secret-text.ts';
import { renderKeyValues, textOf } from '../output/table.ts';
import type { Act, Session } from '../session.ts';
import { listAll, printNames } from './list-all.ts';

const capabilities = ['create', 'read', 'update', 'delete', 'list', 'patch', 'sudo'] as const;
type Tested = (typeof capabilities)[number];

/** Policies: what tokens may do. */
export function policyCommand(act: Act): Command {
  const policy = new Command('policy').description('read, write and try out policies');
  policy
    .command('write')
    .description('make or replace a policy')
    .argument('<name>')
    .argument('<file>', 'HCL or JSON; "-" is standard input')
    .action(
      act(async (session, name = '', file = '') => {
        const text = await policyText(session, file);
        session.printDone(
          `Policy "${name}" written`,
          await session.call('policy.put', { name, policy: text }),
        );
      }),
    );
  policy
    .command('read')
    .description('print a policy, byte for byte as it was written')
    .argument('<name>')
    .action(
      act(async (session, name = '') => {
        const answer = await session.call('policy.get', { name });
        const text = textOf(answer['policy']);
        session.print({
          document: answer,
          table: () => (text.endsWith('\n') ? text : `${text}\n`),
        });
      }),
    );
  policy
    .command('list')
    .description('list the policies of the namespace')
    .option('--after <name>', 'start after this one')
    .option('--limit <count>', 'at most so many', parseCount)
    .action(
      act(async (session) => {
        const found = await listAll(session, 'policy.list', {}, 'names');
        printNames(session, found.items.map(String), found.document);
      }),
    );
  policy
    .command('delete')
    .description('remove a policy')
    .argument('<name>')
    .action(
      act(async (session, name = '') => {
        const answer = await session.call('policy.delete', { name });
        session.printDone(`Policy "${name}" removed, if it existed`, answer);
      }),
    );
  policy
    .command('fmt')
    .description('bring a policy file into its usual form')
    .argument('<file>', 'rewritten in place; "-" reads standard input and prints')
    .option('--check', 'change nothing; exit status 3 when the form differs')
    .action(act((session, file = '') => format(session, file)));
  policy
    .command('test')
    .description('say what a policy file would allow, without a server')
    .argument('<file>', 'HCL or JSON; "-" is standard input')
    .requiredOption('--path <path>', 'as policies write it, such as secret/data/team/db')
    .addOption(
      new Option('--capability <capability>', 'what is to be done')
        .choices(capabilities)
        .makeOptionMandatory(),
    )
    .action(act((session, file = '') => test(session, file)));
  return policy;
}

async function format(session: Session, file: string): Promise<number> {
  const { formatPolicy } = await import('../../vault/index.ts');
  const before = await policyText(session, file);
  const after = await formatPolicy(before);
  if (session.options.flag('check')) {
    if (before === after) return exitStatus.ok;
    session.io.err(`${file} is not in its usual form: run "strongroom policy fmt ${file}"\n`);
    return exitStatus.failedCheck;
  }
  if (file === '-') session.io.out(after);
  else if (before !== after) writeFileSync(file, after);
  return exitStatus.ok;
}

async function test(session: Session, file: string): Promise<number> {
  const { testPolicy } = await import('../../vault/index.ts');
  const path = session.options.text('path') ?? '';
  const capability = session.options.text('capability') as Tested;
  const verdict = await testPolicy(await policyText(session, file), path, capability);
  session.print({
    document: { path, capability, ...verdict },
    table: () =>
      renderKeyValues({
        verdict: verdict.allowed ? 'allowed' : 'denied',
        rule: verdict.rule ?? 'none matches',
        capabilities: verdict.capabilities,
      }),
  });
  return verdict.allowed ? exitStatus.ok : exitStatus.failedCheck;
}

async function policyText(session: Session, file: string): Promise<string> {
  const text = file === '-' ? await session.io.readStdin() : readTextFile(file);
  if (text.trim() !== '') return text;
  throw new StrongroomError('cli.usage', 'Cannot use an empty policy: write at least one path');
}
