import type { webcrypto } from 'node:crypto';
import { type Clock, hex, type Random, StrongroomError } from '../../lib/index.ts';
import { checkHostNames, type HostNames, type NodeIdentity, nodeUri } from './names.ts';
import { checkRequest } from './request.ts';
import { generateKeys, privateKeyFromPem, privateKeyToPem, signing, toPem, x509 } from './x509.ts';

const DAY_MS = 24 * 3600 * 1000;
const CA_DAYS = 3650;
const NODE_DAYS = 90;
/** Certificates begin in the past: a node whose clock is a little behind must accept them. */
const CLOCK_SKEW_MS = 5 * 60 * 1000;

/** The cluster's own certificate authority. */
export interface ClusterCa {
  readonly certificatePem: string;
  /** Keep it below the barrier: who has it can pose as any node. */
  readonly privateKeyPem: string;
}

/** Makes a cluster's certificate authority: self-signed, ECDSA P-256, ten years. */
export async function createClusterCa(options: {
  readonly clusterId: string;
  readonly clock: Clock;
  readonly random: Random;
}): Promise<ClusterCa> {
  const keys = await generateKeys();
  const nowMs = options.clock.wallMs();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(options.random),
    name: `CN=Strongroom CA ${options.clusterId}`,
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(nowMs + CA_DAYS * DAY_MS),
    signingAlgorithm: signing,
    keys,
    extensions: [
      // No CA below this one (RFC 5280 4.2.1.9).
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificatePem: toPem(certificate),
    privateKeyPem: await privateKeyToPem(keys.privateKey),
  };
}

/**
 * Signs a node's certificate: for serving and for calling, for the names given here. Of the request
 * only its public key is used; names inside it are not trusted.
 *
 * @param options.days how long it is valid, 90 when not given; never beyond the CA's own end.
 * @throws StrongroomError `cluster.certificate-invalid` for a bad request or name.
 */
export async function issueNodeCertificate(
  ca: ClusterCa,
  options: NodeIdentity &
    HostNames & {
      readonly csrPem: string;
      readonly days?: number;
      readonly clock: Clock;
      readonly random: Random;
    },
): Promise<string> {
  checkHostNames(options);
  const { publicKey } = await checkRequest(options.csrPem);
  const issuer = new x509.X509Certificate(ca.certificatePem);
  const nowMs = options.clock.wallMs();
  const endMs = nowMs + (options.days ?? NODE_DAYS) * DAY_MS;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(options.random),
    subject: `CN=node-${options.node}`,
    issuer: issuer.subject,
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(Math.min(endMs, issuer.notAfter.getTime())),
    signingAlgorithm: signing,
    publicKey,
    signingKey: await signingKey(ca),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'url', value: nodeUri(options) },
        ...options.dnsNames.map((value) => ({ type: 'dns' as const, value })),
        ...options.ips.map((value) => ({ type: 'ip' as const, value })),
      ]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return toPem(certificate);
}

async function signingKey(ca: ClusterCa): Promise<webcrypto.CryptoKey> {
  try {
    return await privateKeyFromPem(ca.privateKeyPem);
  } catch {
    // The cause is left out: parsers quote what they could not read.
    throw new StrongroomError(
      'cluster.certificate-invalid',
      'Cannot sign a certificate: the private key of the cluster CA is not readable',
    );
  }
}

/** 127 random bits: positive, unguessable, unique (RFC 5280 4.1.2.2). */
function serialNumber(random: Random): string {
  const bytes = random.bytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return hex(bytes);
}
