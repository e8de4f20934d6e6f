import { connect } from '../../client/index.ts';
import { type Cancellation, type Clock, StrongroomError, withTimeout } from '../../lib/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import {
  checkPinnedCa,
  createCertificateRequest,
  fetchPinnedCa,
  type NodeTls,
  parseJoinToken,
} from '../certificates/index.ts';
import { type NodeConfig, readNamedFile } from '../config/index.ts';
import type { Identity } from './identity.ts';
import { memberSchema } from './member.ts';

const CALL_MS = 15_000;
const ATTEMPTS_MAX = 60;
const PAUSE_MS = 1_000;

/**
 * Presents the join token to the cluster and comes back with an identity and a certificate. Asks
 * again, with the same key, while the cluster has no leader or cannot be reached: an answer that was
 * lost is then given once more.
 *
 * @throws StrongroomError `cluster.join-refused`, `config.unreadable`, and whatever else asking again cannot mend.
 */
export async function joinCluster(
  config: NodeConfig,
  addresses: { readonly api: string; readonly peer: string; readonly metrics: string },
  options: {
    readonly version: string;
    readonly clock: Clock;
    readonly log: Logger;
    readonly signal: Cancellation;
  },
): Promise<{ readonly identity: Identity; readonly tls: NodeTls }> {
  const join = config.join;
  if (join === undefined) {
    throw new StrongroomError(
      'config.invalid',
      `Cannot start node "${config.name}": its data directory is empty, and the configuration has neither bootstrap nor join`,
    );
  }
  const joinToken = (await readNamedFile(join.tokenFile, 'the join token')).trim();
  const ca =
    join.caFile === undefined ? undefined : await readNamedFile(join.caFile, "the cluster's CA");
  const { caFingerprint } = parseJoinToken(joinToken);
  const request = await createCertificateRequest({ name: config.name });
  let last: unknown;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    options.signal.throwIfAborted();
    const address = join.addresses[attempt % join.addresses.length] ?? '';
    try {
      using signal = withTimeout(options.signal, CALL_MS);
      const trust = join.insecurePlaintext
        ? { insecurePlaintext: true }
        : { ca: ca ?? (await fetchPinnedCa(address, caFingerprint, signal)) };
      await using client = await connect({ addresses: [address], ...trust });
      const answer = await client.call(
        'cluster.join',
        {
          joinToken,
          certificateRequest: request.csrPem,
          name: config.name,
          apiAddress: addresses.api,
          peerAddress: addresses.peer,
          metricsAddress: addresses.metrics,
          version: options.version,
        },
        { timeoutMs: CALL_MS },
      );
      // Over plain text, the token's fingerprint is all that vouches for the answer.
      if (join.insecurePlaintext) {
        checkPinnedCa(String(answer['caCertificate']), caFingerprint, address);
      }
      return understand(answer, request.privateKeyPem, config);
    } catch (error) {
      if (error instanceof StrongroomError && error.traits.retry === 'never') throw error;
      last = error;
      options.log.info({ address, error: String(error) }, 'Could not join yet, asking again');
      await new Promise<void>((resolve) => options.clock.after(PAUSE_MS, resolve));
    }
  }
  throw last;
}

function understand(
  answer: Readonly<Record<string, unknown>>,
  privateKeyPem: string,
  config: NodeConfig,
): { readonly identity: Identity; readonly tls: NodeTls } {
  const contacts = memberSchema.array().parse(
    (answer['members'] as readonly Record<string, unknown>[]).map((member) => ({
      node: member['node'],
      name: member['name'],
      region: member['region'],
      kind: member['kind'],
      apiAddress: member['apiAddress'],
      peerAddress: member['peerAddress'],
      metricsAddress: member['metricsAddress'],
      version: member['version'],
    })),
  );
  return {
    identity: {
      clusterId: String(answer['clusterId']),
      node: Number(answer['node']),
      name: config.name,
      region: String(answer['region']),
      kind: answer['kind'] === 'replica' ? 'replica' : 'voter',
      founder: false,
      contacts,
    },
    tls: {
      certificatePem: String(answer['certificate']),
      privateKeyPem,
      caPem: String(answer['caCertificate']),
    },
  };
}
