import { createHash } from 'node:crypto';
import { StrongroomError } from '../../lib/index.ts';
import { generateKeys, privateKeyToPem, signing, toPem, x509 } from './x509.ts';

const REQUEST_CHARS_MAX = 16 * 1024;

export interface CertificateRequest {
  readonly csrPem: string;
  /** Stays on the node that made it. */
  readonly privateKeyPem: string;
}

/** Makes a fresh key and the request for a certificate of it (PKCS#10, RFC 2986). */
export async function createCertificateRequest(options: {
  readonly name: string;
}): Promise<CertificateRequest> {
  const keys = await generateKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [options.name] }],
    keys,
    signingAlgorithm: signing,
  });
  return {
    csrPem: toPem(request),
    privateKeyPem: await privateKeyToPem(keys.privateKey),
  };
}

export interface CheckedRequest {
  readonly publicKey: x509.PublicKey;
  /** SHA-256 of the public key (SPKI), hex: tells one asker from another. */
  readonly keyFingerprint: string;
}

/**
 * Checks that a request is well formed, that its sender holds the private key, and that the key is
 * of the kind this cluster uses.
 *
 * @throws StrongroomError `cluster.certificate-invalid`
 */
export async function checkRequest(csrPem: string): Promise<CheckedRequest> {
  if (csrPem.length > REQUEST_CHARS_MAX) throw refused('it is too long');
  let request: x509.Pkcs10CertificateRequest;
  let isSigned: boolean;
  try {
    request = new x509.Pkcs10CertificateRequest(csrPem);
    isSigned = await request.verify();
  } catch {
    throw refused('it is not a PKCS#10 request in PEM');
  }
  if (!isSigned) throw refused('its signature does not fit its key');
  const algorithm: { readonly name: string; readonly namedCurve?: string } =
    request.publicKey.algorithm;
  if (algorithm.name !== 'ECDSA' || algorithm.namedCurve !== 'P-256') {
    throw refused('its key is not ECDSA P-256');
  }
  return {
    publicKey: request.publicKey,
    keyFingerprint: createHash('sha256')
      .update(new Uint8Array(request.publicKey.rawData))
      .digest('hex'),
  };
}

function refused(why: string): StrongroomError {
  return new StrongroomError(
    'cluster.certificate-invalid',
    `Cannot accept the certificate request: ${why}`,
  );
}
