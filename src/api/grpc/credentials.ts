import { ServerCredentials } from '@grpc/grpc-js';

export interface ServerIdentity {
  /** PEM: the node's certificate and what leads to its authority. */
  readonly certificate: string | Buffer;
  /** PEM. */
  readonly privateKey: string | Buffer;
}

const minVersion = 'TLSv1.3';

/**
 * TLS 1.3 and nothing older for the API's port. (gRPC's own credentials name no version.) A new
 * identity can be put in while the server runs; connections that are open keep the old one.
 */
export class Tls13Credentials extends ServerCredentials {
  constructor(identity: ServerIdentity) {
    super({ minVersion, maxVersion: minVersion }, contextOf(identity));
  }

  replace(identity: ServerIdentity): void {
    this.updateSecureContextOptions(contextOf(identity));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

function contextOf(identity: ServerIdentity) {
  return {
    minVersion,
    maxVersion: minVersion,
    cert: identity.certificate,
    key: identity.privateKey,
  } as const;
}
