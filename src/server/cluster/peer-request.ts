import { z } from 'zod';
import { StrongroomError } from '../../lib/index.ts';

/** What a node says of itself when another asks. No secrets. */
export const nodeReportSchema = z.strictObject({
  node: z.number(),
  /** As this node knows; 0 while it knows none. */
  leader: z.number(),
  role: z.string(),
  term: z.number(),
  commit: z.number(),
  applied: z.number(),
  lagMs: z.number(),
  healthy: z.boolean(),
  reason: z.string(),
  version: z.string(),
  seal: z.strictObject({
    state: z.string(),
    restartReady: z.boolean(),
    reason: z.string(),
    lastProofAtMs: z.number(),
    slots: z.array(
      z.strictObject({
        name: z.string(),
        kind: z.string(),
        health: z.string(),
        kekFingerprint: z.string(),
        kekGeneration: z.number(),
        reason: z.string(),
      }),
    ),
  }),
});

export type NodeReport = z.infer<typeof nodeReportSchema>;

export const headSchema = z.strictObject({
  node: z.number().int().positive(),
  sink: z.string().max(64),
  sequence: z.number().int().nonnegative(),
  head: z.string().max(64),
  committedAtMs: z.number().int().nonnegative(),
  signature: z.string().max(100),
  publicKey: z.string().max(100),
});

/** A node's signed audit chain head, base64 where it is bytes. */
export type CommittedHead = z.infer<typeof headSchema>;

const sealValues = z.record(
  z.string().startsWith('seal/').max(200),
  z.string().max(400_000).nullable(),
);

/** What one node may ask of another, beside forwarding a client's request. */
const peerRequestSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('report') }),
  z.strictObject({
    kind: z.literal('digests'),
    format: z.number(),
    revision: z.number().int().nonnegative(),
    scrub: z.number().int().nonnegative(),
  }),
  z.strictObject({ kind: z.literal('audit-head'), head: headSchema }),
  z.strictObject({ kind: z.literal('renew-certificate'), csr: z.string().max(16_384) }),
  z.strictObject({
    kind: z.literal('advertise'),
    apiAddress: z.string().max(300),
    peerAddress: z.string().max(300),
    metricsAddress: z.string().max(300),
    version: z.string().max(50),
  }),
  z.strictObject({
    kind: z.literal('seal-records'),
    /** Base64; null deletes, or stands for a record that must be absent. */
    changes: sealValues,
    expected: sealValues,
  }),
]);

export type PeerRequest = z.infer<typeof peerRequestSchema>;

/** First byte of a forwarded message: a client's request, or one of the nodes' own. */
export const FORWARDED_REQUEST = 1;
export const PEER_REQUEST = 2;

export function tagged(tag: number, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + bytes.length);
  out[0] = tag;
  out.set(bytes, 1);
  return out;
}

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** @throws StrongroomError `request.invalid` */
export function decodePeerRequest(bytes: Uint8Array): PeerRequest {
  return parseJson(bytes, peerRequestSchema, 'peer request');
}

/** @throws StrongroomError `request.invalid` */
export function decodeNodeReport(bytes: Uint8Array): NodeReport {
  return parseJson(bytes, nodeReportSchema, 'node report');
}

function parseJson<T>(bytes: Uint8Array, schema: z.ZodType<T>, what: string): T {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    throw new StrongroomError(
      'request.invalid',
      `Cannot read a ${what} of another node: it is malformed; are the versions too far apart?`,
      { cause: error },
    );
  }
}
