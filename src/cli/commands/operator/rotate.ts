import { Command, Option } from 'commander';
import { parseCount } from '../../input/durations.ts';
import type { Payload } from '../../io.ts';
import { renderKeyValues } from '../../output/table.ts';
import type { Act } from '../../session.ts';
import { slotTable } from '../status.ts';
import { printOnce } from './seal.ts';

/** New keys, without stopping anything. */
export function rotateCommand(act: Act): Command {
  const rotate = new Command('rotate').description('make new keys while the vault works');
  for (const [name, operation, about] of [
    ['keyring', 'seal.rotateKeyring', 'a new epoch: new writes use it, old data is rewrapped'],
    ['root', 'seal.rotateRoot', 'a new root key, wrapped again for every slot'],
  ] as const) {
    rotate
      .command(name)
      .description(about)
      .action(act(async (session) => session.printAnswer(await session.call(operation, {}))));
  }
  rotate
    .command('kek')
    .description('a new wrapping key in the HSM of one slot')
    .argument('<slot>', "the slot's name")
    .action(
      act(async (session, slot = '') =>
        session.printAnswer(await session.call('seal.rotateKek', { slot })),
      ),
    );
  return rotate;
}

/** Ways to unseal: added and removed online, which is how seals migrate. */
export function slotCommand(act: Act): Command {
  const slot = new Command('slot').description('add and remove ways to unseal');
  slot
    .command('list')
    .description('list them')
    .action(
      act(async (session) => {
        const answer = await session.call('seal.status', {});
        const slots = (answer['slots'] ?? []) as readonly Payload[];
        session.print({ document: slots, table: () => slotTable(slots) });
      }),
    );
  slot
    .command('add')
    .description('let one more slot unseal; its node configuration must name it')
    .argument('<name>')
    .addOption(
      new Option('--kind <kind>').choices(['pkcs11', 'shamir', 'dev']).makeOptionMandatory(),
    )
    .option('--key-shares <count>', 'shares of a shamir slot', parseCount)
    .option('--key-threshold <count>', 'how many of them unseal', parseCount)
    .option('--out <file>', 'write the shares to a new file (mode 0600), show nothing')
    .action(
      act(async (session, name = '') => {
        const answer = await session.call('seal.addSlot', {
          name,
          kind: session.options.text('kind') ?? '',
          shares: session.options.number('keyShares') ?? 0,
          threshold: session.options.number('keyThreshold') ?? 0,
        });
        const shares = (answer['shares'] ?? []) as readonly string[];
        if (shares.length > 0) printOnce(session, answer, session.options.text('out'));
        else session.print({ document: answer, table: () => addedTable(name, answer) });
      }),
    );
  slot
    .command('remove')
    .description('make a slot unable to unseal')
    .argument('<name>')
    .action(
      act(async (session, name = '') => {
        const answer = await session.call('seal.removeSlot', { name });
        session.printDone(`Slot "${name}" removed`, answer);
      }),
    );
  return slot;
}

function addedTable(name: string, answer: Payload): string {
  const slot = answer['slot'];
  return typeof slot === 'object' && slot !== null
    ? slotTable([slot as Payload])
    : renderKeyValues({ slot: name });
}
