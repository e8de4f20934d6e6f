import { SystemRandom, systemClock } from '../../src/lib/index.ts';
import {
  createCertificateRequest,
  createClusterCa,
  hostNamesOf,
  issueNodeCertificate,
} from '../../src/server/certificates/index.ts';

export interface TestIdentity {
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** A node's certificate for localhost and 127.0.0.1, and the authority that signed it. */
export async function testIdentity(): Promise<TestIdentity> {
  const clusterId = '0123456789abcdef0123456789abcdef';
  const tools = { clock: systemClock, random: new SystemRandom() };
  const ca = await createClusterCa({ clusterId, ...tools });
  const request = await createCertificateRequest({ name: 'node-1' });
  const certificate = await issueNodeCertificate(ca, {
    csrPem: request.csrPem,
    clusterId,
    node: 1,
    ...hostNamesOf(['localhost:1', '127.0.0.1:1']),
    ...tools,
  });
  return { ca: ca.certificatePem, certificate, privateKey: request.privateKeyPem };
}
