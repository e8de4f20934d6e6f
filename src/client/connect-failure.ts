import type { Client, ServiceError } from '@grpc/grpc-js';

/** What stands in gRPC's own words for a failed attempt, and what it is to who asked. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'nothing listens there'],
  [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, 'its name is not known'],
  [/EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/, 'no way leads there'],
  [/ERR_TLS_CERT_ALTNAME_INVALID/, 'its certificate is for another address'],
  [/CERT_HAS_EXPIRED|certificate has expired/, 'its certificate has expired'],
  [
    /self.signed|unable to (?:get|verify)|certificate verify failed/,
    'its certificate is not of the CA that is trusted here',
  ],
  [/certificate required/, 'it wants a certificate of a node: that is the port for other nodes'],
  [/wrong version number|packet length/, 'it does not speak TLS'],
];

/**
 * Why the last attempt to connect a channel has failed. gRPC tells it only to calls: one is made,
 * which fails at once and reaches nobody.
 */
export function whyNotConnected(channel: Client): Promise<string> {
  return new Promise((resolve) => {
    const answered = (error: ServiceError | null) => {
      const [, reason] = REASONS.find(([pattern]) => pattern.test(error?.details ?? '')) ?? [];
      resolve(
        reason ?? 'no connection can be made: is it a node, with TLS on both sides or on none?',
      );
    };
    const raw = (bytes: Buffer) => bytes;
    channel.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      raw,
      raw,
      Buffer.alloc(0),
      { deadline: Date.now() + 250 },
      answered,
    );
  });
}
