import { Command } from 'commander';
import { type ChaosConsole, type LiveWishes, openChaosDoor } from '../chaos-door.ts';
import { parseCount } from '../input/durations.ts';
import type { Act, Session } from '../session.ts';
import { strongroomVersion } from './version.ts';

/** `strongroom chaos`: scenarios of faults, against clusters that may break. */
export function chaosCommand(act: Act): Command {
  const chaos = new Command('chaos').description(
    'run scenarios of faults, and prove that nothing is lost',
  );
  chaos
    .command('list')
    .description('the library: scenarios, faults, workloads, checks, grounds')
    .action(act(async (session) => (await openChaosDoor()).list(consoleOf(session))));
  chaos
    .command('run')
    .description('run a scenario; exit status 3 when its verdict is "failed"')
    .argument('<scenario>', 'its name in the library, or a file')
    .option('--on <ground>', 'simulation, processes, containers or live', 'processes')
    .option('--seed <number>', 'for everything that is drawn; printed with the verdict', parseCount)
    .option('--out <folder>', 'where the record is written')
    .option('--target <file>', 'with --on live: the running cluster, and what may be done to it')
    .option('--yes <name>', 'with --on live: the name of the cluster, instead of typing it')
    .action(
      act(async (session, scenario) => {
        const { options } = session;
        const wishes = {
          scenario: scenario ?? '',
          ground: options.text('on') ?? '',
          seed: options.number('seed'),
          out: options.text('out'),
          live: liveOf(session),
        };
        return (await openChaosDoor()).run(wishes, consoleOf(session));
      }),
    );
  addSimulate(chaos, act);
  addReplay(chaos, act);
  addReport(chaos, act);
  addFolderCommand(chaos, act, 'stop', 'end a run from another terminal: everything is healed');
  addFolderCommand(chaos, act, 'heal', 'undo what a run that died has left');
  return chaos;
}

function addSimulate(chaos: Command, act: Act): void {
  chaos
    .command('simulate')
    .description('run a scenario in the deterministic simulation, for many seeds')
    .argument('<scenario>', 'its name in the library, or a file')
    .option('--seeds <count>', 'how many', parseCount, 100)
    .option('--from <seed>', 'the first', parseCount, 1)
    .action(
      act(async (session, scenario) => {
        const { options } = session;
        const wishes = {
          scenario: scenario ?? '',
          seeds: options.number('seeds') ?? 1,
          from: options.number('from') ?? 1,
        };
        return (await openChaosDoor()).simulate(wishes, consoleOf(session));
      }),
    );
}

function addReplay(chaos: Command, act: Act): void {
  chaos
    .command('replay')
    .description('run again what a run folder records')
    .argument('<folder>', 'of the run')
    .option('--target <file>', 'of a run on a running cluster: its target file')
    .option('--yes <name>', 'the name of that cluster, instead of typing it')
    .action(
      act(async (session, folder) =>
        (await openChaosDoor()).replay(folder ?? '', liveOf(session), consoleOf(session)),
      ),
    );
}

const liveOf = ({ options }: Session): LiveWishes => ({
  target: options.text('target'),
  yes: options.text('yes'),
});

function addReport(chaos: Command, act: Act): void {
  chaos
    .command('report')
    .description('show the verdict of a run folder, and write its page again')
    .argument('<folder>', 'of the run')
    .option('--html <file>', 'where the page is written; report.html in the folder when absent')
    .action(
      act(async (session, folder) => {
        const wishes = { folder: folder ?? '', html: session.options.text('html') };
        return (await openChaosDoor()).report(wishes, consoleOf(session));
      }),
    );
}

function addFolderCommand(
  chaos: Command,
  act: Act,
  name: 'stop' | 'heal',
  description: string,
): void {
  chaos
    .command(name)
    .description(description)
    .argument('<folder>', 'of the run')
    .action(
      act(async (session, folder) =>
        (await openChaosDoor())[name](folder ?? '', consoleOf(session)),
      ),
    );
}

function consoleOf(session: Session): ChaosConsole {
  const { io, format } = session;
  return {
    format,
    print: (view) => session.print(view),
    say: (line) => io.err(`${line}\n`),
    isTerminal: io.isTerminal,
    ask: (question) => io.ask(question),
    signal: io.signal,
    programVersion: strongroomVersion(),
  };
}
