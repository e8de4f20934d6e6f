import { Command } from 'commander';
import { parseCount } from '../../input/durations.ts';
import type { Act } from '../../session.ts';
import { membersCommand, raftCommand } from './members.ts';
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
    raftCommand,
  ]) {
    operator.addCommand(make(act));
  }
  operator
    .command('key-status')
    .description("show the keyring's epoch and the root key's id")
    .action(
      act(async (session) => {
        const { keyringEpoch, rootId } = await session.call('seal.status', {});
        session.printAnswer(
          { keyringEpoch, rootId },
          { keyring_epoch: keyringEpoch, root_id: rootId },
        );
      }),
    );
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
