import { z } from 'zod';

/** A member as the cluster knows it, kept in the replicated state in clear: no secrets in here. */
export const memberSchema = z.strictObject({
  node: z.number().int().positive(),
  name: z.string(),
  region: z.string(),
  /** What it is meant to be: a `voter` that is not yet caught up is a Raft learner for a while. */
  kind: z.enum(['voter', 'learner', 'replica']),
  apiAddress: z.string(),
  peerAddress: z.string(),
  metricsAddress: z.string(),
  version: z.string(),
});

export type Member = z.infer<typeof memberSchema>;
