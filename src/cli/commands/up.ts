import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { StrongroomError } from '../../lib/index.ts';
import type { CliIo } from '../io.ts';
import { type Asked, mergeOptions } from '../local-cluster/asked.ts';
import { clientOf } from '../local-cluster/clients.ts';
import { type LocalOptions, missingForToken, readLocalCluster } from '../local-cluster/layout.ts';
import { showLiveTable } from '../local-cluster/live-table.ts';
import { nodeProgram } from '../local-cluster/processes.ts';
import { type LocalDocument, startCluster, stopCluster } from '../local-cluster/start.ts';
import { Options } from '../options.ts';
import { render } from '../output/document.ts';
import { formatOf } from '../session.ts';

const DATA = '.strongroom';
const BASE_PORT = 8200;
const NODES_MAX = 20;

interface UpFlags {
  readonly voters?: number;
  readonly replica?: readonly string[] | false;
  readonly replicas?: boolean;
  readonly basePort?: number;
  readonly data: string;
  readonly seal?: string;
  readonly detach: boolean;
  readonly insecurePlaintext?: boolean;
  readonly tickMs?: number;
}

/** `strongroom up`: a cluster on this machine, each node a process of its own. */
export function upCommand(io: CliIo): Command {
  return (
    new Command('up')
      .description('start a local cluster, and show it until Ctrl-C')
      // Without defaults: what was not asked for is taken from the cluster that is there already.
      .option('--voters <count>', 'how many voters (3)', count(1, 9))
      .option('--replica <region=count...>', 'read replicas of a region (eu-west=1 us-east=1)')
      .option('--no-replica', 'without read replicas')
      .option('--no-replicas', 'without read replicas')
      .option('--base-port <port>', `first of three ports a node (${BASE_PORT})`, count(1, 65_000))
      .option('--data <folder>', 'where everything is kept', DATA)
      .option(
        '--seal <kind>',
        'pkcs11 (SoftHSM), shamir or dev; default: pkcs11 where it is installed',
      )
      .option('--detach', 'return when it is up; stop it with strongroom down', false)
      .option('--insecure-plaintext', 'clients speak without TLS: for development only')
      .option('--tick-ms <ms>', "Raft's unit of time", count(5, 5000))
      .action(async (_own: unknown, command: Command) => {
        // With the globals: a flag that is both is taken by the program before this command sees it.
        await up(io, command.optsWithGlobals<UpFlags>());
      })
  );
}

/** `strongroom down`: ends what `up --detach` has started. */
export function downCommand(io: CliIo): Command {
  return new Command('down')
    .description('stop the local cluster')
    .option('--data <folder>', 'where everything is kept', DATA)
    .action(async ({ data }: { readonly data: string }) => {
      const cluster = readLocalCluster(resolve(data));
      if (cluster === undefined) {
        throw new StrongroomError('cli.usage', `There is no local cluster in ${resolve(data)}`);
      }
      const stopped = await stopCluster(cluster.nodes);
      io.err(
        stopped === 0
          ? 'No node was running\n'
          : `Stopped ${stopped} ${stopped === 1 ? 'node' : 'nodes'}; the data is kept\n`,
      );
    });
}

async function up(io: CliIo, flags: UpFlags): Promise<void> {
  const say = (text: string) => io.err(`${text}\n`);
  const options = localOptions(flags, say);
  // The program as it was called.
  const program = nodeProgram(process.argv[1] ?? '');
  const stop = stopSignal(io);
  const { cluster, document, unsettled } = await startCluster(options, {
    program,
    say,
    signal: stop,
  });
  const format = formatOf(io, new Options({ ...flags }));
  if (format !== 'table') io.out(render({ document, table: () => '' }, format));
  explain(say, document, cluster.options, unsettled);
  if (flags.detach) {
    if (unsettled === '') return;
    throw new StrongroomError(
      'cluster.start-failed',
      `The nodes run, but not all is well: ${unsettled}; see "strongroom status", or the nodes' logs in ${options.data}`,
    );
  }
  {
    await using client = await clientOf(cluster);
    // A document on standard output stays the only thing there.
    await showLiveTable(client, format === 'table' ? process.stdout : process.stderr, stop);
  }
  say('\nStopping the nodes; the next start finds everything again');
  await stopCluster(cluster.nodes);
}

/** Ctrl-C, SIGTERM, or the terminal that was closed. */
function stopSignal(io: CliIo): AbortSignal {
  const stop = new AbortController();
  process.once('SIGHUP', () => stop.abort(new Error('SIGHUP')));
  io.signal.addEventListener('abort', () => stop.abort(io.signal.reason), { once: true });
  if (io.signal.aborted) stop.abort(io.signal.reason);
  return stop.signal;
}

function explain(
  say: (text: string) => void,
  document: LocalDocument,
  options: LocalOptions,
  unsettled: string,
): void {
  const scheme = options.insecurePlaintext ? 'http' : 'https';
  // All of them: the command still finds the cluster when one was killed to see what happens.
  const addresses = document.nodes
    .filter((one) => one.kind === 'voter')
    .map((one) => `${scheme}://${one.grpcAddress}`)
    .join(',');
  say(
    [
      '',
      unsettled === ''
        ? `The cluster is up: ${document.nodes.length} node${document.nodes.length === 1 ? '' : 's'}, sealed by ${sealInWords(options.seal)}.`
        : `The nodes run, but not all is well: ${unsettled}.`,
      'To use it from another terminal:',
      '',
      `  export STRONGROOM_ADDR=${addresses}`,
      ...(options.insecurePlaintext ? ['  export STRONGROOM_INSECURE_PLAINTEXT=1'] : []),
      `  export STRONGROOM_CACERT=${document.caFile}`,
      `  export STRONGROOM_TOKEN="$(cat ${document.rootTokenFile})"`,
      '',
    ].join('\n'),
  );
}

function sealInWords(seal: LocalOptions['seal']): string {
  switch (seal) {
    case 'pkcs11':
      return 'a SoftHSM token';
    case 'shamir':
      return 'Shamir shares (kept beside the data: for development only)';
    case 'dev':
      return 'the development seal, which protects nothing';
  }
}

function localOptions(flags: UpFlags, say: (text: string) => void): LocalOptions {
  const data = resolve(flags.data);
  const asked = askedBy(flags);
  const before = readLocalCluster(data);
  const options: LocalOptions =
    before === undefined
      ? {
          voters: asked.voters ?? 3,
          replicas: asked.replicas ?? ['eu-west', 'us-east'],
          basePort: asked.basePort ?? BASE_PORT,
          data,
          seal: asked.seal ?? defaultSeal(say),
          insecurePlaintext: asked.insecurePlaintext ?? false,
          tickMs: asked.tickMs,
        }
      : mergeOptions({ ...before.options, data }, asked);
  if (options.voters + options.replicas.length > NODES_MAX) {
    throw new StrongroomError('cli.usage', `A local cluster has at most ${NODES_MAX} nodes`);
  }
  return options;
}

function askedBy(flags: UpFlags): Asked {
  const { voters, replica, replicas, basePort, seal, insecurePlaintext, tickMs } = flags;
  const regions = replica === false || replicas === false ? [] : (replica ?? []).flatMap(regionsOf);
  const isReplicaAsked = replica !== undefined || replicas === false;
  return {
    ...(voters === undefined ? {} : { voters }),
    ...(isReplicaAsked ? { replicas: regions } : {}),
    ...(basePort === undefined ? {} : { basePort }),
    ...(seal === undefined ? {} : { seal: sealOf(seal) }),
    ...(insecurePlaintext === undefined ? {} : { insecurePlaintext }),
    ...(tickMs === undefined ? {} : { tickMs }),
  };
}

function defaultSeal(say: (text: string) => void): LocalOptions['seal'] {
  const missing = missingForToken();
  if (missing === undefined) return 'pkcs11';
  say(`The development seal is used, which protects NOTHING: ${missing.why}.`);
  say(`For a real seal, ${missing.remedy}, and begin with another folder (--data).`);
  return 'dev';
}

function sealOf(asked: string): LocalOptions['seal'] {
  if (asked === 'pkcs11' || asked === 'shamir' || asked === 'dev') return asked;
  throw new StrongroomError(
    'cli.usage',
    `Cannot seal with "${asked}": choose pkcs11, shamir or dev`,
  );
}

/** "eu-west=2" is that region twice. */
function regionsOf(text: string): readonly string[] {
  const [, region = '', number = ''] = /^([a-z0-9][a-z0-9.-]{0,31})=(\d{1,2})$/.exec(text) ?? [];
  if (region === '') {
    throw new StrongroomError(
      'cli.usage',
      `Cannot understand --replica ${text}: write REGION=COUNT, such as eu-west=1`,
    );
  }
  return Array.from({ length: Number(number) }, () => region);
}

function count(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`);
  };
}
