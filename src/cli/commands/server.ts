import { Command } from 'commander';
import { InvariantError, StrongroomError, systemClock } from '../../lib/index.ts';
import { pinoLogger, promMetrics } from '../../telemetry/index.ts';
import type { CliIo } from '../io.ts';

const STOP_MS_MAX = 20_000;
const FAILED = 1;

/** `strongroom server -c FILE`: one node, until it is told to end. */
export function serverCommand(io: CliIo): Command {
  return new Command('server')
    .description('run one node, as its configuration says')
    .option('-c, --config <file>', 'configuration file, YAML or JSON')
    .option('--dev', 'there is none: says how to start a cluster for development')
    .action(async ({ config }: { readonly config?: string }) => {
      if (config === undefined) {
        throw new StrongroomError('cli.usage', 'Cannot start a node without a configuration', {
          details: {
            next: 'name it with -c FILE; for development "strongroom up --voters 1 --no-replicas --seal dev" needs none',
          },
        });
      }
      // By hand: gRPC keeps connections of closed clients for some seconds, and with them the process.
      process.exit(await runServer(config, io));
    });
}

/** @returns the exit code: 0 after SIGTERM or SIGINT, 70 after a broken invariant, 1 otherwise. */
async function runServer(file: string, io: CliIo): Promise<number> {
  const told = io.signal;
  // Here and not above, so that every other command starts without loading a whole node.
  const { KeptRoot, readNodeConfig, startNode, wantRebuild } = await import(
    '../../server/index.ts'
  );
  const config = readNodeConfig(file);
  const log = pinoLogger({
    level: config.log.level,
    name: config.name,
    destination: config.log.file ?? 'stdout',
  });
  // Nothing else keeps the process alive while it waits to join.
  const alive = setInterval(() => {}, 2 ** 30);
  const stopping = new Promise<'told'>((resolve) => {
    const stop = () => {
      log.info({ signal: String((told.reason as Error).message) }, 'Stopping');
      resolve('told');
      setTimeout(() => process.exit(FAILED), STOP_MS_MAX).unref();
    };
    told.addEventListener('abort', stop, { once: true });
    // It may have been told while the node was still being loaded.
    if (told.aborted) stop();
  });
  using kept = new KeptRoot(systemClock);
  try {
    const metrics = promMetrics();
    for (;;) {
      if (told.aborted) return 0;
      const node = await startNode(config, {
        log,
        metrics,
        signal: told,
        kept,
        askPin: (question) => askPin(io, question),
      });
      const ended = await Promise.race([stopping, node.stopped]);
      if (ended === 'told') {
        await node.stop();
        return 0;
      }
      log.error({ error: describe(ended.because) }, 'The node has stopped by itself');
      // Noted before anything else: a crash from here on must not bring the state back.
      const anew = await wantRebuild(config.dataDir, ended.because, systemClock);
      await node.stop(anew ? 'begin-again' : undefined);
      if (!anew) return exitCodeOf(ended.because);
    }
  } catch (error) {
    log.error({ error: describe(error) }, 'The node cannot start');
    if (told.aborted) return 0;
    throw error;
  } finally {
    clearInterval(alive);
    await log.flush();
  }
}

/** Nobody is waited for at the terminal any more once the node is told to end. */
async function askPin(io: CliIo, question: string): Promise<string | undefined> {
  const typed = io.askHidden(question).catch((error: unknown) => {
    // While a hidden line is typed the terminal sends Ctrl-C as a character.
    process.kill(process.pid, 'SIGINT');
    throw error;
  });
  const ended = new Promise<undefined>((resolve) => {
    io.signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  return await Promise.race([typed, ended]);
}

function exitCodeOf(error: unknown): number {
  return error instanceof InvariantError ? InvariantError.EXIT_STATUS : FAILED;
}

function describe(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof StrongroomError) return { code: error.code, message: error.message };
  if (error instanceof InvariantError) {
    return { code: 'invariant', message: error.message, facts: error.facts };
  }
  return { message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
