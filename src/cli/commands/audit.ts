import { Command } from 'commander';
import type { SignedHead, VerifyOptions } from '../../audit/index.ts';
import { StrongroomError } from '../../lib/index.ts';
import { exitStatus } from '../errors/exit-status.ts';
import { parseCount } from '../input/durations.ts';
import { readSecretText } from '../input/secret-text.ts';
import type { Payload } from '../io.ts';
import { renderKeyValues, renderTable } from '../output/table.ts';
import type { Act, Session } from '../session.ts';

/** The audit log: where it goes, and whether it is whole. */
export function auditCommand(act: Act): Command {
  const audit = new Command('audit').description('check the audit log and look into it');
  audit
    .command('list')
    .description('list the audit sinks of the node that answers')
    .action(
      act(async (session) => {
        const answer = await session.call('audit.list', {});
        const sinks = (answer['sinks'] ?? []) as readonly Payload[];
        const rows = sinks.map((sink) => [
          String(sink['name']),
          String(sink['kind']),
          String(sink['target']),
          sink['healthy'] === true ? 'yes' : 'no',
        ]);
        session.print({
          document: answer,
          table: () => renderTable(['Name', 'Kind', 'Target', 'Healthy'], rows),
        });
      }),
    );
  audit
    .command('hash')
    .description('the keyed hash that stands for a value in the audit log')
    .argument('[value]', '"-" (standard input) or @FILE; without it the terminal asks')
    .action(
      act(async (session, from) => {
        const value = await readSecretText(session.io, from, 'value');
        session.printAnswer(await session.call('audit.hash', { value }));
      }),
    );
  audit
    .command('verify')
    .description(
      'check audit files, oldest first: nothing changed, dropped or cut (status 3: not so)',
    )
    .argument('<files...>')
    .option(
      '--node <node>',
      "compare with this node's heads that the cluster committed",
      parseCount,
    )
    .option('--sink <name>', 'the sink that wrote the files; needed when the node has several')
    .option(
      '--first-record <number>',
      'the files need not go back further than this one: older files are archived elsewhere',
      parseCount,
    )
    .action(act((session, ...files) => verify(session, files)));
  return audit;
}

async function verify(session: Session, files: readonly string[]): Promise<number> {
  const { describeProblem, verifyAuditFiles } = await import('../../audit/index.ts');
  const heads = await committedHeads(session);
  const verdict = await verifyAuditFiles(files, {
    ...heads,
    firstRecord: session.options.number('firstRecord') ?? 1,
    signal: session.io.signal,
  });
  const { problems, ...facts } = verdict;
  const sentences = problems.map(describeProblem);
  session.print({
    document: { ...facts, problems: sentences },
    table: () =>
      renderKeyValues({
        intact: verdict.isIntact,
        records: verdict.records,
        first_record: verdict.firstSequence ?? 0,
        last_record: verdict.last.sequence,
        heads_checked: verdict.headsChecked,
        records_after_last_head: verdict.recordsAfterLastHead,
        problems: verdict.problemCount,
      }),
  });
  for (const sentence of sentences) session.io.err(`${sentence}\n`);
  return verdict.isIntact ? exitStatus.ok : exitStatus.failedCheck;
}

/** The heads that the cluster has of a node's sink, when they are asked for. */
async function committedHeads(
  session: Session,
): Promise<Pick<VerifyOptions, 'heads' | 'publicKey'>> {
  const node = session.options.number('node');
  if (node === undefined) return {};
  const status = await session.call('seal.status', {});
  const answer = await session.call('audit.heads', { node });
  const all = ((answer['heads'] ?? []) as readonly Payload[]).map((head) =>
    signedHead(head, String(status['clusterId'])),
  );
  const sinks = [...new Set(all.map((head) => head.sink))];
  const sink = session.options.text('sink') ?? sinks[0];
  if (session.options.text('sink') === undefined && sinks.length > 1) {
    throw new StrongroomError(
      'cli.usage',
      `Cannot tell which sink wrote the files, node ${node} has ${sinks.join(', ')}: give --sink`,
    );
  }
  if (!all.some((head) => head.sink === sink)) {
    const which = sink === undefined ? '' : ` and sink "${sink}"`;
    throw new StrongroomError(
      'cli.usage',
      `Cannot compare the files: the cluster has committed no head of node ${node}${which}; a node that is new has one after some seconds`,
    );
  }
  const keys = (answer['keys'] ?? []) as readonly Payload[];
  const publicKey = keys.find((key) => Number(key['node']) === node)?.['publicKey'];
  return {
    heads: all.filter((head) => head.sink === sink),
    // A head of another key proves nothing, whoever had it committed.
    ...(publicKey instanceof Uint8Array ? { publicKey } : {}),
  };
}

function signedHead(head: Payload, clusterId: string): SignedHead {
  const bytes = (name: string) => {
    const value = head[name];
    return value instanceof Uint8Array ? value : new Uint8Array(0);
  };
  return {
    clusterId,
    node: Number(head['node']),
    sink: String(head['sink']),
    sequence: Number(head['sequence']),
    hash: String(head['head']),
    committedAtMs: Number(head['committedAtMs']),
    signature: bytes('signature'),
    publicKey: bytes('publicKey'),
  };
}
