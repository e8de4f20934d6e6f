import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { StrongroomError } from '../../../lib/index.ts';
import { exitStatus } from '../../errors/exit-status.ts';
import { parseCount } from '../../input/durations.ts';
import { writeNewSecretFile } from '../../input/secret-file.ts';
import { readSecretText } from '../../input/secret-text.ts';
import type { Payload } from '../../io.ts';
import { renderKeyValues } from '../../output/table.ts';
import type { Act, Session } from '../../session.ts';
import { printSealStatus } from '../status.ts';

/** Begins the vault's life. The root token and shares are shown this once. */
export function initCommand(act: Act): Command {
  return new Command('init')
    .description("begin the vault's life; shows the root token and the shares, once")
    .option('-n, --key-shares <count>', 'shares of a shamir slot', parseCount)
    .option('-t, --key-threshold <count>', 'how many of them unseal', parseCount)
    .option('--out <file>', 'write them to a new file (mode 0600) as JSON, show nothing')
    .option('--status', 'only say whether it has begun (exit status 0), or not (2)')
    .action(
      act(async (session) => {
        if (session.options.flag('status')) return initStatus(session);
        const out = session.options.text('out');
        requireNewFile(out);
        const answer = await session.call('seal.init', {
          shares: session.options.number('keyShares') ?? 0,
          threshold: session.options.number('keyThreshold') ?? 0,
        });
        printOnce(session, answer, out);
        return exitStatus.ok;
      }),
    );
}

async function initStatus(session: Session): Promise<number> {
  const { initialized } = await session.call('seal.status', {});
  const isBegun = initialized === true;
  session.printDone(isBegun ? 'Initialized' : 'Not initialized', { initialized: isBegun });
  return isBegun ? exitStatus.ok : exitStatus.server;
}

/**
 * Asked before a call whose answer is told once, and must not be lost to a bad path.
 * @throws StrongroomError `cli.file-exists`
 */
export function requireNewFile(out: string | undefined): void {
  if (out === undefined || !existsSync(out)) return;
  throw new StrongroomError('cli.file-exists', `Cannot write ${out}: it exists already`);
}

/** Shows secrets that are told once, or keeps them in a file; when that fails, they are shown. */
export function printOnce(session: Session, answer: Payload, out: string | undefined): void {
  if (out !== undefined) {
    try {
      writeNewSecretFile(out, `${JSON.stringify(answer, undefined, 2)}\n`);
      session.io.err(`Written to ${out}\n`);
      return;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      session.io.err(`Warning: ${why}; shown here instead\n`);
    }
  }
  const shares = ((answer['shares'] ?? []) as string[]).map(
    (share, at) => [`share_${at + 1}`, share] as const,
  );
  const token = answer['rootToken'];
  session.print({
    document: answer,
    table: () =>
      renderKeyValues({
        ...Object.fromEntries(shares),
        ...(token === undefined ? {} : { root_token: token, cluster_id: answer['clusterId'] }),
      }),
  });
  session.io.err('Keep them now: they are not shown again.\n');
}

export function sealCommand(act: Act): Command {
  return new Command('seal')
    .description('seal every node; they stay sealed over restarts until unsealed by hand')
    .action(act(async (session) => printSealStatus(session, await session.call('seal.seal', {}))));
}

export function unsealCommand(act: Act): Command {
  return new Command('unseal')
    .description('give one share of a shamir slot, or lift a seal set by hand')
    .argument('[share]', '"-" (standard input) or @FILE; without it the terminal asks')
    .option('--auto', 'lift a seal set by hand; the HSM unseals')
    .option('--reset', 'forget the shares given so far')
    .action(
      act(async (session, from) => {
        const { options } = session;
        const isBare = options.flag('auto') || options.flag('reset');
        if (isBare && from !== undefined) {
          throw new StrongroomError('cli.usage', 'Cannot take a share with --auto or --reset');
        }
        const share = isBare ? '' : await readSecretText(session.io, from, 'share');
        const answer = await session.call('seal.unseal', {
          share,
          reset: options.flag('reset'),
          auto: options.flag('auto'),
        });
        printSealStatus(session, answer);
        // A share that was taken is a success, though more may be needed.
        return exitStatus.ok;
      }),
    );
}
