import { Command, Option } from 'commander';
import { parseCount } from '../../input/durations.ts';
import type { Payload } from '../../io.ts';
import { renderKeyValues } from '../../output/table.ts';
import type { Act, Session } from '../../session.ts';
import { slotTable } from '../status.ts';
import { printOnce, requireNewFile } from './seal.ts';

/** New keys, without stopping anything. */
export function rotateCommand(act: Act): Command {
  const rotate = new Command('rotate').description('make new keys while the vault works');
  rotate
    .command('keyring', { isDefault: true })
    .description('a new epoch: new writes use it, old data is rewrapped')
    .action(
      act(async (session) => printRotated(session, await session.call('seal.rotateKeyring', {}))),
    );
  rotate
    .command('root')
    .description('a new root key, wrapped again for every slot')
    .option(
      '--compromise',
      'the present root may be known to others: drop the slots that cannot follow at once',
    )
    .action(
      act(async (session) => {
        const compromise = session.options.flag('compromise');
        const answer = await session.call('seal.rotateRoot', { compromise });
        printRotated(session, answer);
        const dropped = (answer['dropped'] ?? []) as readonly string[];
        for (const name of dropped) {
          session.io.err(
            `Slot "${name}" was dropped and unseals no more: add it again with "operator slot add"\n`,
          );
        }
      }),
    );
  rotate
    .command('kek')
    .description('a new wrapping key in the HSM of one slot, or new shares of a shamir slot')
    .argument('<slot>', "the slot's name")
    .option('--key-shares <count>', 'shares of a shamir slot', parseCount)
    .option('--key-threshold <count>', 'how many of them unseal', parseCount)
    .option('--out <file>', 'write the shares to a new file (mode 0600), show nothing')
    .action(
      act(async (session, slot = '') => {
        const out = session.options.text('out');
        requireNewFile(out);
        const answer = await session.call('seal.rotateKek', {
          slot,
          shares: session.options.number('keyShares') ?? 0,
          threshold: session.options.number('keyThreshold') ?? 0,
        });
        const shares = (answer['shares'] ?? []) as readonly string[];
        if (shares.length > 0) printOnce(session, answer, out);
        else printRotated(session, answer);
      }),
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
        const out = session.options.text('out');
        requireNewFile(out);
        const answer = await session.call('seal.addSlot', {
          name,
          kind: session.options.text('kind') ?? '',
          shares: session.options.number('keyShares') ?? 0,
          threshold: session.options.number('keyThreshold') ?? 0,
        });
        const shares = (answer['shares'] ?? []) as readonly string[];
        if (shares.length > 0) printOnce(session, answer, out);
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
  slot
    .command('forget-pins')
    .description('let PINs that its HSM refused be presented again, once the PIN source is touched')
    .argument('<name>')
    .action(
      act(async (session, name = '') => {
        const answer = await session.call('seal.forgetRejectedPins', { slot: name });
        session.printDone(`Refused PINs of slot "${name}" forgotten`, answer);
      }),
    );
  return slot;
}

/** For people without the fields that only the rotation of another key fills. */
function printRotated(session: Session, answer: Payload): void {
  const said = Object.entries(answer).filter(([, value]) =>
    Array.isArray(value) ? value.length > 0 : value !== '' && value !== undefined,
  );
  session.printAnswer(answer, Object.fromEntries(said));
}

function addedTable(name: string, answer: Payload): string {
  const slot = answer['slot'];
  return typeof slot === 'object' && slot !== null
    ? slotTable([slot as Payload])
    : renderKeyValues({ slot: name });
}
