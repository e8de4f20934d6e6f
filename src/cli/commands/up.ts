import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { StrongroomError } from '../../lib/index.ts';
import { hasSoftHsm, type LocalOptions, readLocalCluster } from '../local-cluster/layout.ts';
import { showLiveTable } from '../local-cluster/live-table.ts';
import { clientOf, type LocalDocument, startCluster, stopCluster } from '../local-cluster/start.ts';

const DATA = '.strongroom';
const BASE_PORT = 8200;
const NODES_MAX = 20;

interface UpOptions {
  readonly voters: number;
  readonly replica: readonly string[] | false;
  readonly basePort: number;
  readonly data: string;
  readonly seal: string | undefined;
  readonly detach: boolean;
  readonly insecurePlaintext: boolean;
  readonly tickMs: number | undefined;
  readonly format?: string;
}

const say = (text: string) => process.stderr.write(`${text}\n`);

/** `strongroom up`: a cluster on this machine, each node a process of its own. */
export function upCommand(): Command {
  return new Command('up')
    .description('start a local cluster, and show it until Ctrl-C')
    .option('--voters <count>', 'how many voters', count(1, 9), 3)
    .option('--replica <region=count...>', 'read replicas of a region', ['eu-west=1', 'us-east=1'])
    .option('--no-replica', 'without read replicas')
    .option('--no-replicas', 'without read replicas')
    .option('--base-port <port>', 'first of three ports a node', count(1, 65_000), BASE_PORT)
    .option('--data <folder>', 'where everything is kept', DATA)
    .option(
      '--seal <kind>',
      'pkcs11 (SoftHSM), shamir or dev; default: pkcs11 where it is installed',
    )
    .option('--detach', 'return when it is up; stop it with strongroom down', false)
    .option('--insecure-plaintext', 'clients speak without TLS: for development only', false)
    .option('--tick-ms <ms>', "Raft's unit of time", count(5, 5000))
    .action(async (_own: unknown, command: Command) => {
      // With the globals: a flag that is both is taken by the program before this command sees it.
      const own = command.optsWithGlobals<UpOptions & { readonly replicas?: boolean }>();
      await up(localOptions(own), own.detach, own.format ?? 'table');
    });
}

/** `strongroom down`: ends what `up --detach` has started. */
export function downCommand(): Command {
  return new Command('down')
    .description('stop the local cluster')
    .option('--data <folder>', 'where everything is kept', DATA)
    .action(async ({ data }: { readonly data: string }) => {
      const cluster = readLocalCluster(resolve(data));
      if (cluster === undefined) {
        throw new StrongroomError('cli.usage', `There is no local cluster in ${resolve(data)}`);
      }
      const stopped = await stopCluster(cluster);
      say(stopped === 0 ? 'No node was running' : `Stopped ${stopped} nodes; the data is kept`);
    });
}

async function up(options: LocalOptions, detach: boolean, format: string): Promise<void> {
  // The program as it was called, so that nodes run under the same loader as this does.
  const script = process.argv[1] ?? '';
  const program = [process.execPath, ...process.execArgv, script];
  const { cluster, document } = await startCluster(options, { program, detached: detach, say });
  if (format === 'json') process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  else explain(document, options);
  if (detach) return;
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  {
    await using client = await clientOf(cluster);
    await showLiveTable(client, process.stdout, stop.signal);
  }
  say('\nStopping the nodes; the next start finds everything again');
  await stopCluster(cluster);
}

function explain(document: LocalDocument, options: LocalOptions): void {
  const [first] = document.nodes;
  const scheme = options.insecurePlaintext ? 'http' : 'https';
  say(
    [
      '',
      `The cluster is up: ${document.nodes.length} nodes, sealed by ${sealInWords(options.seal)}.`,
      'To use it from another terminal:',
      '',
      `  export STRONGROOM_ADDR=${scheme}://${first?.grpcAddress ?? ''}`,
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

function localOptions(own: UpOptions & { readonly replicas?: boolean }): LocalOptions {
  const data = resolve(own.data);
  const replicas =
    own.replica === false || own.replicas === false ? [] : own.replica.flatMap(regionsOf);
  if (own.voters + replicas.length > NODES_MAX) {
    throw new StrongroomError('cli.usage', `A local cluster has at most ${NODES_MAX} nodes`);
  }
  const before = existsSync(data) ? readLocalCluster(data) : undefined;
  if (before !== undefined) return { ...before.options, data };
  return {
    voters: own.voters,
    replicas,
    basePort: own.basePort,
    data,
    seal: sealOf(own.seal),
    insecurePlaintext: own.insecurePlaintext,
    tickMs: own.tickMs,
  };
}

function sealOf(asked: string | undefined): LocalOptions['seal'] {
  switch (asked) {
    case 'pkcs11':
    case 'shamir':
    case 'dev':
      return asked;
    case undefined:
      if (hasSoftHsm()) return 'pkcs11';
      say('SoftHSM is not installed, so the development seal is used: it protects NOTHING.');
      say('Install softhsm2 (sudo apt-get install softhsm2) for a real seal.');
      return 'dev';
    default:
      throw new StrongroomError(
        'cli.usage',
        `Cannot seal with "${asked}": choose pkcs11, shamir or dev`,
      );
  }
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
