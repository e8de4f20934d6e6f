import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findSoftHsm, initSoftHsmToken } from '../../hsm/index.ts';
import { StrongroomError } from '../../lib/index.ts';
import type { NodeConfigInput } from '../../server/config/index.ts';

export interface LocalOptions {
  readonly voters: number;
  /** Region of each read replica. */
  readonly replicas: readonly string[];
  readonly basePort: number;
  readonly data: string;
  readonly seal: 'pkcs11' | 'shamir' | 'dev';
  readonly insecurePlaintext: boolean;
  readonly tickMs: number | undefined;
}

/** One node of the local cluster, as it is laid out on disk. */
export interface LocalNode {
  readonly name: string;
  readonly region: string;
  readonly kind: 'voter' | 'replica';
  readonly dataDir: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly tokenFile: string;
  readonly apiAddress: string;
}

export interface LocalCluster {
  readonly options: LocalOptions;
  readonly nodes: readonly LocalNode[];
}

const HOST = '127.0.0.1';
const PORTS_A_NODE = 3;
const SLOT = 'main';

const clusterFile = (data: string) => join(data, 'cluster.json');
export const rootTokenFile = (data: string) => join(data, 'root-token');
export const sharesFile = (data: string) => join(data, 'unseal-shares');

/** Whether `up` can make a token to seal with. */
export function hasSoftHsm(): boolean {
  return findSoftHsm() !== undefined;
}

/** A cluster that was laid out before; undefined when there is none. */
export function readLocalCluster(data: string): LocalCluster | undefined {
  if (!existsSync(clusterFile(data))) return undefined;
  try {
    return JSON.parse(readFileSync(clusterFile(data), 'utf8')) as LocalCluster;
  } catch (cause) {
    throw new StrongroomError(
      'config.unreadable',
      `Cannot read the local cluster in ${data}: cluster.json is damaged; remove the folder to start anew`,
      { cause },
    );
  }
}

/** Folders, ports, the HSM token and one configuration a node. Nothing is started. */
export async function layOutCluster(options: LocalOptions): Promise<LocalCluster> {
  mkdirSync(options.data, { recursive: true, mode: 0o700 });
  const slots = await makeSlots(options);
  const regions = [
    ...Array.from({ length: options.voters }, () => ({ region: 'local', kind: 'voter' as const })),
    ...options.replicas.map((region) => ({ region, kind: 'replica' as const })),
  ];
  const nodes = regions.map(({ region, kind }, at) => layOutNode(options, slots, region, kind, at));
  const cluster = { options, nodes };
  // Last: a layout that was cut off is begun again.
  writeFileSync(clusterFile(options.data), `${JSON.stringify(cluster, undefined, 2)}\n`, {
    mode: 0o600,
  });
  return cluster;
}

function layOutNode(
  options: LocalOptions,
  slots: NodeConfigInput['seal']['slots'],
  region: string,
  kind: 'voter' | 'replica',
  at: number,
): LocalNode {
  const name = kind === 'voter' ? `voter-${at + 1}` : `${region}-${at + 1 - options.voters}`;
  const folder = join(options.data, name);
  const port = options.basePort + PORTS_A_NODE * at;
  const node: LocalNode = {
    name,
    region,
    kind,
    dataDir: join(folder, 'data'),
    configFile: join(folder, 'node.json'),
    logFile: join(folder, 'node.log'),
    tokenFile: join(folder, 'join-token'),
    apiAddress: `${HOST}:${port}`,
  };
  const config: NodeConfigInput = {
    name,
    region,
    kind,
    dataDir: node.dataDir,
    api: { listen: node.apiAddress, insecurePlaintext: options.insecurePlaintext },
    peer: { listen: `${HOST}:${port + 1}` },
    metrics: { listen: `${HOST}:${port + 2}` },
    seal: { slots },
    audit: { files: [{ name: 'file', path: join(folder, 'audit.log') }] },
    ...(options.tickMs === undefined ? {} : { raft: { tickMs: options.tickMs } }),
    ...(at === 0
      ? { bootstrap: true }
      : {
          join: {
            tokenFile: node.tokenFile,
            addresses: [`${HOST}:${options.basePort}`],
            ...(options.insecurePlaintext
              ? { insecurePlaintext: true }
              : { caFile: caFileOf(options.data) }),
          },
        }),
  };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(node.configFile, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
  return node;
}

/** The founder's copy of the cluster's CA: what clients trust. */
export function caFileOf(data: string): string {
  return join(data, 'voter-1', 'data', 'tls', 'ca.pem');
}

async function makeSlots(options: LocalOptions): Promise<NodeConfigInput['seal']['slots']> {
  switch (options.seal) {
    case 'dev':
      return [{ name: SLOT, kind: 'dev', path: join(options.data, 'dev-seal.key') }];
    case 'shamir':
      return [{ name: SLOT, kind: 'shamir' }];
    case 'pkcs11':
      return [await makeToken(options.data)];
  }
}

/** A SoftHSM token with random PINs, in files that only this user reads. */
async function makeToken(data: string) {
  const module = findSoftHsm();
  if (module === undefined) {
    throw new StrongroomError(
      'cli.usage',
      'Cannot seal with pkcs11: SoftHSM is not installed; install softhsm2, or use --seal dev',
    );
  }
  const directory = join(data, 'softhsm');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const pin = randomBytes(16).toString('hex');
  const soPin = randomBytes(16).toString('hex');
  const address = await initSoftHsmToken({ directory, label: 'strongroom', pin, soPin });
  const pinFile = join(data, 'hsm-pin');
  writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
  writeFileSync(join(data, 'hsm-so-pin'), `${soPin}\n`, { mode: 0o600 });
  return {
    name: SLOT,
    kind: 'pkcs11' as const,
    module: address.module,
    token: address.label,
    pinFile,
    ...(address.environment === undefined ? {} : { environment: { ...address.environment } }),
  };
}
