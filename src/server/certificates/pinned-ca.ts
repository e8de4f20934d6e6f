import { X509Certificate } from 'node:crypto';
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { type Cancellation, StrongroomError } from '../../lib/index.ts';

const CHAIN_MAX = 4;

/**
 * Fetches a cluster's CA certificate from one of its nodes, trusting only the fingerprint that the
 * join token brought. Nothing secret is sent: the connection is closed when the chain was seen.
 *
 * @param address `host:port` of a TLS listener that sends its CA in the chain.
 * @returns the CA, PEM.
 * @throws StrongroomError `cluster.join-refused` when the node has another CA, or none.
 */
export async function fetchPinnedCa(
  address: string,
  caFingerprint: string,
  signal: Cancellation,
): Promise<string> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  const chain = await chainOf(host, Number(address.slice(at + 1)), signal);
  const ca = chain.find((one) => fingerprintOf(one) === caFingerprint);
  const leaf = chain[0];
  if (
    ca === undefined ||
    leaf === undefined ||
    !leaf.checkIssued(ca) ||
    !leaf.verify(ca.publicKey)
  ) {
    throw notThatCluster(address);
  }
  return ca.toString();
}

/**
 * For a CA that came another way than in a TLS handshake.
 *
 * @throws StrongroomError `cluster.join-refused` when it is not the one that the join token names.
 */
export function checkPinnedCa(caPem: string, caFingerprint: string, address: string): void {
  if (fingerprintOf(new X509Certificate(caPem)) !== caFingerprint) throw notThatCluster(address);
}

function notThatCluster(address: string): StrongroomError {
  return new StrongroomError(
    'cluster.join-refused',
    `Cannot join through ${address}: its certificate is not from the cluster that made the join token`,
  );
}

async function chainOf(
  host: string,
  port: number,
  signal: Cancellation,
): Promise<readonly X509Certificate[]> {
  signal.throwIfAborted();
  const socket = connect({
    host,
    port,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
    // Checked by hand right after, against the fingerprint.
    rejectUnauthorized: false,
  });
  const abort = () => socket.destroy(new Error('Called off'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed')));
    });
    return certificatesOf(socket);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StrongroomError(
      'cluster.join-refused',
      `Cannot reach ${host}:${port} with TLS to join: ${why}`,
      { cause: error },
    );
  } finally {
    signal.removeEventListener('abort', abort);
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

function certificatesOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let at: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (at?.raw !== undefined && chain.length < CHAIN_MAX) {
    chain.push(new X509Certificate(at.raw));
    const next: DetailedPeerCertificate | undefined = at.issuerCertificate;
    // A self-signed certificate names itself as its issuer.
    at = next === at ? undefined : next;
  }
  return chain;
}

function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}
