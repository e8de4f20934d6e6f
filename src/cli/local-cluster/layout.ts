import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findSoftHsm, initSoftHsmToken, isBindingCompiled } from '../../hsm/index.ts';
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
const softHsmFolder = (data: string) => join(data, 'softhsm');
const pinFileOf = (data: string) => join(data, 'hsm-pin');
const soPinFileOf = (data: string) => join(data, 'hsm-so-pin');
const devKeyFile = (data: string) => join(data, 'dev-seal.key');
export const rootTokenFile = (data: string) => join(data, 'root-token');
export const sharesFile = (data: string) => join(data, 'unseal-shares');
/** There from the layout until the root token is kept: what is founded meanwhile is nobody's yet. */
export const foundingFile = (data: string) => join(data, 'founding');

/** Why `up` can make no token to seal with, and what helps; undefined when it can. */
export function missingForToken(): { readonly why: string; readonly remedy: string } | undefined {
  if (findSoftHsm() === undefined)
    return { why: 'SoftHSM is not installed', remedy: 'install softhsm2' };
  if (!isBindingCompiled())
    return {
      why: 'the PKCS#11 binding is not compiled',
      remedy: 'install python3, make and g++ and run "npm run build"',
    };
  return undefined;
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
  const nodes: LocalNode[] = [];
  for (const place of placesOf(options)) {
    nodes.push(layOutNode(options, slots, place.name, place.region, place.kind, nodes.length));
  }
  writeFileSync(foundingFile(options.data), '', { mode: 0o600 });
  return keep({ options, nodes });
}

/** Lays out what `options` has more of than the cluster. Only counts may differ, and only grow. */
export function growCluster(cluster: LocalCluster, options: LocalOptions): LocalCluster {
  const nodes = [...cluster.nodes];
  const [founder] = nodes;
  if (founder === undefined) throw new Error('A cluster has at least one node');
  const slots = (JSON.parse(readFileSync(founder.configFile, 'utf8')) as NodeConfigInput).seal
    .slots;
  const spare = [...nodes];
  for (const { region, kind } of placesOf(options)) {
    const at = spare.findIndex((node) => node.kind === kind && node.region === region);
    if (at >= 0) spare.splice(at, 1);
    else
      nodes.push(
        layOutNode(options, slots, freeName(nodes, region, kind), region, kind, nodes.length),
      );
  }
  return keep({ options, nodes });
}

function freeName(nodes: readonly LocalNode[], region: string, kind: LocalNode['kind']): string {
  for (let number = 1; ; number++) {
    const name = nameOf(kind, region, number);
    if (!nodes.some((node) => node.name === name)) return name;
  }
}

/** Takes away everything that `layOutCluster` and the nodes have made, and nothing else. */
export function removeCluster(cluster: LocalCluster): void {
  const { data } = cluster.options;
  const files = [sharesFile, rootTokenFile, softHsmFolder, pinFileOf, soPinFileOf, devKeyFile];
  for (const node of cluster.nodes) {
    rmSync(join(data, node.name), { recursive: true, force: true });
  }
  for (const file of [...files, clusterFile, foundingFile]) {
    rmSync(file(data), { recursive: true, force: true });
  }
}

/** Last of all: a layout that was cut off is begun again. */
function keep(cluster: LocalCluster): LocalCluster {
  const text = `${JSON.stringify(cluster, undefined, 2)}\n`;
  writeFileSync(clusterFile(cluster.options.data), text, { mode: 0o600 });
  return cluster;
}

/** Voters first; replicas are counted within their region. */
function placesOf({ voters, replicas }: LocalOptions) {
  const places = [
    ...Array.from({ length: voters }, () => ({ region: 'local', kind: 'voter' as const })),
    ...replicas.map((region) => ({ region, kind: 'replica' as const })),
  ];
  return places.map(({ region, kind }, at) => {
    const before = places.slice(0, at).filter((one) => one.kind === kind && one.region === region);
    return { name: nameOf(kind, region, before.length + 1), region, kind };
  });
}

function nameOf(kind: LocalNode['kind'], region: string, number: number): string {
  return kind === 'voter' ? `voter-${number}` : `${region}-${number}`;
}

function layOutNode(
  options: LocalOptions,
  slots: NodeConfigInput['seal']['slots'],
  name: string,
  region: string,
  kind: 'voter' | 'replica',
  at: number,
): LocalNode {
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
      return [{ name: SLOT, kind: 'dev', path: devKeyFile(options.data) }];
    case 'shamir':
      return [{ name: SLOT, kind: 'shamir' }];
    case 'pkcs11':
      return [await makeToken(options.data)];
  }
}

/** A SoftHSM token with random PINs, in files that only this user reads. */
async function makeToken(data: string) {
  const missing = missingForToken();
  if (missing !== undefined) {
    throw new StrongroomError(
      'cli.usage',
      `Cannot seal with pkcs11: ${missing.why}; ${missing.remedy}, or use --seal dev`,
    );
  }
  const directory = softHsmFolder(data);
  // Of a layout that was cut off: two tokens of one label would be one too many.
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const pin = randomBytes(16).toString('hex');
  const soPin = randomBytes(16).toString('hex');
  const address = await initSoftHsmToken({ directory, label: 'strongroom', pin, soPin });
  const pinFile = pinFileOf(data);
  writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
  writeFileSync(soPinFileOf(data), `${soPin}\n`, { mode: 0o600 });
  return {
    name: SLOT,
    kind: 'pkcs11' as const,
    module: address.module,
    token: address.label,
    pinFile,
    ...(address.environment === undefined ? {} : { environment: { ...address.environment } }),
  };
}
