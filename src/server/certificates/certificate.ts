import { createPrivateKey, X509Certificate } from 'node:crypto';
import { StrongroomError } from '../../lib/index.ts';
import { identityInAltNames, type NodeIdentity } from './names.ts';

export interface CertificateFacts {
  /** Undefined for a CA. */
  readonly identity: NodeIdentity | undefined;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 of the DER, hex. */
  readonly fingerprint: string;
}

/** @throws StrongroomError `cluster.certificate-invalid` when `pem` is no certificate. */
export function describeCertificate(pem: string): CertificateFacts {
  const certificate = parse(pem);
  return {
    identity: identityInAltNames(certificate.subjectAltName),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

/**
 * Whether it is time to renew: the last third of its life has begun. With 90 days that leaves 30 to
 * repair what keeps renewal from working.
 */
export function shouldRenew(certificatePem: string, nowMs: number): boolean {
  const { notBeforeMs, notAfterMs } = describeCertificate(certificatePem);
  return nowMs >= notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3;
}

/**
 * Checks that the certificate was signed by the CA, is for this key, and is valid now.
 *
 * @throws StrongroomError `cluster.certificate-invalid`, saying which of these does not hold.
 */
export function checkCertificate(
  tls: { readonly certificatePem: string; readonly privateKeyPem: string; readonly caPem: string },
  nowMs: number,
): CertificateFacts {
  const certificate = parse(tls.certificatePem);
  const ca = parse(tls.caPem);
  const facts = describeCertificate(tls.certificatePem);
  if (!certificate.checkIssued(ca) || !certificate.verify(ca.publicKey)) {
    throw invalid('it is not signed by the cluster CA beside it');
  }
  if (!holdsKey(certificate, tls.privateKeyPem)) throw invalid('it is not for the key beside it');
  if (nowMs > facts.notAfterMs) {
    throw invalid(`it expired at ${new Date(facts.notAfterMs).toISOString()}`);
  }
  if (nowMs < facts.notBeforeMs) {
    throw invalid(`it begins at ${new Date(facts.notBeforeMs).toISOString()}; is the clock right?`);
  }
  return facts;
}

function holdsKey(certificate: X509Certificate, privateKeyPem: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch {
    return false;
  }
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw invalid('it is not a certificate in PEM');
  }
}

function invalid(why: string): StrongroomError {
  return new StrongroomError(
    'cluster.certificate-invalid',
    `Cannot use the certificate: ${why}; join again, or restore the tls folder`,
  );
}
