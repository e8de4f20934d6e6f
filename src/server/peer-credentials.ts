import { createSecureContext } from 'node:tls';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import type { NodeTls } from './certificates/index.ts';

const minVersion = 'TLSv1.3';

/**
 * Mutual TLS 1.3 for the port that other nodes call. Who has no certificate of the cluster's CA does
 * not get as far as a greeting. A renewed certificate can be put in while the server runs.
 */
export class PeerServerCredentials extends ServerCredentials {
  constructor(tls: NodeTls) {
    super(
      { minVersion, maxVersion: minVersion, requestCert: true, rejectUnauthorized: true },
      contextOf(tls),
    );
  }

  replace(tls: NodeTls): void {
    this.updateSecureContextOptions(contextOf(tls));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

/** What a node shows when it calls another one. */
export function peerChannelCredentials(tls: NodeTls): ChannelCredentials {
  return ChannelCredentials.createFromSecureContext(createSecureContext(contextOf(tls)));
}

function contextOf(tls: NodeTls) {
  return {
    minVersion,
    maxVersion: minVersion,
    ca: tls.caPem,
    // The CA goes along, so that a joining node can find the one that its token names.
    cert: `${tls.certificatePem}${tls.caPem}`,
    key: tls.privateKeyPem,
  } as const;
}
