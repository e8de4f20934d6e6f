import { Command, CommanderError, Option } from 'commander';
import { InvariantError } from '../lib/index.ts';
import { auditCommand } from './commands/audit.ts';
import { chaosCommand } from './commands/chaos.ts';
import { completionCommand } from './commands/completion.ts';
import { kvCommand } from './commands/kv.ts';
import { loginCommand } from './commands/login.ts';
import { namespaceCommand, secretsCommand } from './commands/namespace.ts';
import { operatorCommand } from './commands/operator/index.ts';
import { policyCommand } from './commands/policy.ts';
import { printCommand } from './commands/print.ts';
import { serverCommand } from './commands/server.ts';
import { statusCommand } from './commands/status.ts';
import { tokenCommand } from './commands/token.ts';
import { downCommand, upCommand } from './commands/up.ts';
import { versionCommand } from './commands/version.ts';
import { watchCommand } from './commands/watch.ts';
import { exitStatus, exitStatusOf } from './errors/exit-status.ts';
import { explainFailure } from './errors/explain.ts';
import { usageError } from './errors/usage.ts';
import { normaliseFlags } from './input/arguments.ts';
import { plainWords } from './input/wanted-help.ts';
import type { CliIo } from './io.ts';
import { Options } from './options.ts';
import { formats } from './output/document.ts';
import { actions, formatOf, type Outcome } from './session.ts';

/** The whole command line. */
export function createProgram(io: CliIo, outcome: Outcome): Command {
  const act = actions(io, outcome);
  const program = new Command('strongroom')
    .description('Strongroom: a distributed secrets vault')
    .option('-a, --address <host:port>', 'nodes to ask, with commas (STRONGROOM_ADDR)')
    .option('--ca-cert <file>', "the cluster's CA (STRONGROOM_CACERT)")
    .option('--namespace <path>', 'the namespace to work in (STRONGROOM_NAMESPACE)')
    .option('--region <region>', 'prefer nodes of this region (STRONGROOM_REGION)')
    .option('--timeout <duration>', 'how long a call may take (STRONGROOM_TIMEOUT; 30s)')
    .option('--insecure-plaintext', 'talk without TLS, for development only')
    .addOption(new Option('--format <format>', 'STRONGROOM_FORMAT').choices(formats));
  const commands = [
    serverCommand(io),
    statusCommand(act),
    operatorCommand(act),
    kvCommand(act),
    tokenCommand(act),
    loginCommand(act),
    printCommand(act),
    policyCommand(act),
    namespaceCommand(act),
    secretsCommand(act),
    watchCommand(act),
    auditCommand(act),
    chaosCommand(act),
    upCommand(io),
    downCommand(io),
    completionCommand(act, () => program),
    versionCommand(act),
  ];
  for (const command of commands) program.addCommand(command);
  configure(program, io, outcome, program.name());
  return program;
}

/** Commander prints through `io` and never ends the process. */
function configure(command: Command, io: CliIo, outcome: Outcome, path: string): void {
  command
    .exitOverride()
    .showSuggestionAfterError(true)
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      // Said when the command has ended, in the format that was asked for.
      outputError: (text) => {
        outcome.misuse = usageError(path, text);
      },
      getOutHelpWidth: io.columns,
      getErrHelpWidth: io.columns,
    });
  for (const inner of command.commands) configure(inner, io, outcome, `${path} ${inner.name()}`);
}

/**
 * Runs one command.
 *
 * @param args what follows the program's name.
 * @returns the exit status.
 */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  const outcome: Outcome = { status: exitStatus.ok };
  const program = createProgram(io, outcome);
  try {
    await program.parseAsync(normaliseFlags(plainWords(args), program), { from: 'user' });
    return outcome.status;
  } catch (thrown) {
    const isUsage = thrown instanceof CommanderError;
    if (isUsage && outcome.misuse === undefined)
      return thrown.exitCode === 0 ? exitStatus.ok : exitStatus.local;
    if (io.signal.aborted) return exitStatus.interrupted;
    const error = isUsage ? outcome.misuse : thrown;
    io.err(explainFailure(error, formatOf(io, new Options(program.opts()))));
    return error instanceof InvariantError ? InvariantError.EXIT_STATUS : exitStatusOf(error);
  }
}
