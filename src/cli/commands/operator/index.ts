import { Command } from 'commander';
import { parseCount } from '../../input/durations.ts';
import type { Act } from '../../session.ts';
import { membersCommand } from './members.ts';
import { rotateCommand, slotCommand } from './rotate.ts';
import { initCommand, sealCommand, unsealCommand } from './seal.ts';
import { snapshotCommand } from './snapshot.ts';

/** What operators do with a cluster. */
export function operatorCommand(act: Act): Command {
  const operator = new Command('operator').description('run the cluster');
  for (const make of [
    initCommand,
    sealCommand,
    unsealCommand,
    membersCommand,
    snapshotCommand,
    rotateCommand,
    slotCommand,
  ]) {
    operator.addCommand(make(act));
  }
  operator
    .command('step-down')
    .description('hand leadership to another voter')
    .option('--to <node>', "the node's id; the best follower when not given", parseCount)
    .action(
      act(async (session) => {
        const answer = await session.call('cluster.stepDown', {
          node: session.options.number('to') ?? 0,
        });
        session.printDone('Leadership handed over', answer);
      }),
    );
  return operator;
}
