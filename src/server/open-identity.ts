import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cancellation, Clock, Random } from '../lib/index.ts';
import { StrongroomError } from '../lib/index.ts';
import type { Logger } from '../telemetry/index.ts';
import {
  checkCertificate,
  createCertificateRequest,
  createClusterCa,
  hostNamesOf,
  issueNodeCertificate,
  loadNodeTls,
  type NodeTls,
  saveNodeTls,
  writeAtomically,
} from './certificates/index.ts';
import { type Identity, newClusterId, readIdentity, writeIdentity } from './cluster/identity.ts';
import { joinCluster } from './cluster/join-cluster.ts';
import { makeNamedFolder, type NodeConfig } from './config/index.ts';

export interface NodeAddresses {
  readonly api: string;
  readonly peer: string;
  readonly metrics: string;
}

const FOUNDER = 1;
const caKeyFile = (dataDir: string) => join(dataDir, 'tls', 'ca.key');

/**
 * Who this node is: as its data directory says, or as founder of a new cluster, or as the cluster
 * that it joins says.
 *
 * @throws StrongroomError `cluster.identity-invalid`, `cluster.join-refused`, `config.invalid`,
 *   `cluster.certificate-invalid`
 */
export async function openIdentity(
  config: NodeConfig,
  addresses: NodeAddresses,
  options: {
    readonly version: string;
    readonly clock: Clock;
    readonly random: Random;
    readonly log: Logger;
    readonly signal: Cancellation;
  },
): Promise<{ readonly identity: Identity; readonly tls: NodeTls }> {
  await makeNamedFolder(config.dataDir, 'data directory');
  const identity = await readIdentity(config.dataDir);
  if (identity !== undefined) {
    const tls = await loadNodeTls(config.dataDir);
    refuseOther(identity, tls, config);
    checkCertificate(tls, options.clock.wallMs());
    if (identity.founder && config.join !== undefined) {
      options.log.warn(
        { clusterId: identity.clusterId, dataDir: config.dataDir },
        'This node founded a cluster of its own and joins no other; empty its data directory to have it join',
      );
    }
    return { identity, tls };
  }
  const made = config.bootstrap
    ? await foundCluster(config, addresses, options)
    : await joinCluster(config, addresses, options);
  await saveNodeTls(config.dataDir, made.tls);
  // Last: with an identity the start is done, without one it begins again.
  await writeIdentity(config.dataDir, made.identity);
  if (config.join !== undefined) await rm(config.join.tokenFile, { force: true });
  return made;
}

/** The founder's CA key, until `init` takes it behind the barrier. */
export async function readCaKey(dataDir: string): Promise<string | undefined> {
  return readFile(caKeyFile(dataDir), 'utf8').catch(() => undefined);
}

export async function forgetCaKey(dataDir: string): Promise<void> {
  await rm(caKeyFile(dataDir), { force: true });
}

async function foundCluster(
  config: NodeConfig,
  addresses: NodeAddresses,
  options: { readonly version: string; readonly clock: Clock; readonly random: Random },
): Promise<{ readonly identity: Identity; readonly tls: NodeTls }> {
  const clusterId = newClusterId();
  const ca = await createClusterCa({ clusterId, ...options });
  const request = await createCertificateRequest({ name: config.name });
  const certificatePem = await issueNodeCertificate(ca, {
    clusterId,
    node: FOUNDER,
    ...hostNamesOf([addresses.api, addresses.peer]),
    csrPem: request.csrPem,
    clock: options.clock,
    random: options.random,
  });
  await mkdir(join(config.dataDir, 'tls'), { recursive: true, mode: 0o700 });
  await writeAtomically(caKeyFile(config.dataDir), ca.privateKeyPem, 0o600);
  return {
    identity: {
      clusterId,
      node: FOUNDER,
      name: config.name,
      region: config.region,
      kind: 'voter',
      founder: true,
      contacts: [
        {
          node: FOUNDER,
          name: config.name,
          region: config.region,
          kind: 'voter',
          apiAddress: addresses.api,
          peerAddress: addresses.peer,
          metricsAddress: addresses.metrics,
          version: options.version,
        },
      ],
    },
    tls: { certificatePem, privateKeyPem: request.privateKeyPem, caPem: ca.certificatePem },
  };
}

function refuseOther(
  identity: Identity,
  tls: NodeTls | undefined,
  config: NodeConfig,
): asserts tls is NodeTls {
  const why =
    identity.name !== config.name
      ? `it belongs to node "${identity.name}", the configuration is for "${config.name}"`
      : identity.kind !== config.kind
        ? `it belongs to a ${identity.kind}, the configuration says ${config.kind}`
        : tls === undefined
          ? 'its certificate is missing'
          : undefined;
  if (why === undefined) return;
  throw new StrongroomError(
    'cluster.identity-invalid',
    `Cannot start from data directory "${config.dataDir}": ${why}`,
  );
}
