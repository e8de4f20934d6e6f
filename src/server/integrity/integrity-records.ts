import { z } from 'zod';
import { StrongroomError } from '../../lib/index.ts';

/** What nodes say to one another about their state through the log: applied by all, in one order. */
export const INTEGRITY_PREFIX = 'integrity/';
export const VERDICT_RECORD = `${INTEGRITY_PREFIX}verdict`;
export const DISPUTE_RECORD = `${INTEGRITY_PREFIX}dispute`;
export const SCRUB_RECORD = `${INTEGRITY_PREFIX}scrub`;

/**
 * Nodes whose digests are made in another way must not be compared: raise it whenever the running
 * digest or that of the content changes.
 */
export const DIGEST_FORMAT = 1;

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const revision = z.number().int().nonnegative();

const verdictSchema = z.strictObject({
  format: z.number(),
  /** `history`: the running digest. `content`: that of all records. */
  of: z.enum(['history', 'content']),
  revision,
  /** What a majority of the voters has. Who has another is wrong. */
  digest,
});
export type Verdict = z.infer<typeof verdictSchema>;

const disputeSchema = z.strictObject({
  of: z.enum(['history', 'content']),
  revision,
  /** Who has which, by node id: no majority has any. */
  digests: z.record(z.string().regex(/^\d+$/), digest),
});
export type Dispute = z.infer<typeof disputeSchema>;

/** Every node reads its whole state as of the revision of this record. */
const scrubSchema = z.strictObject({ startedAtMs: z.number() });

export const parseVerdict = (bytes: Uint8Array) => parse(bytes, verdictSchema);
export const parseDispute = (bytes: Uint8Array) => parse(bytes, disputeSchema);
export const parseScrub = (bytes: Uint8Array) => parse(bytes, scrubSchema);

function parse<T>(bytes: Uint8Array, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    throw new StrongroomError(
      'request.invalid',
      'Cannot read an integrity record: it is malformed; are the versions too far apart?',
      { cause: error },
    );
  }
}
