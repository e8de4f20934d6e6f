import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hex, StrongroomError } from '../../lib/index.ts';
import { writeAtomically } from '../certificates/index.ts';
import { memberSchema } from './member.ts';

const identitySchema = z.strictObject({
  clusterId: z.string().regex(/^[0-9a-f]{32}$/),
  node: z.number().int().positive(),
  name: z.string(),
  region: z.string(),
  kind: z.enum(['voter', 'replica']),
  /** True on the node that made the cluster: its first start also makes the first configuration. */
  founder: z.boolean(),
  /** Who was there when this node joined: how it finds the others before it has any state. */
  contacts: z.array(memberSchema),
});

/** Who a node is, for as long as its data directory lives. */
export type Identity = z.infer<typeof identitySchema>;

const file = (dataDir: string) => join(dataDir, 'identity.json');

/** @throws StrongroomError `cluster.identity-invalid` */
export async function readIdentity(dataDir: string): Promise<Identity | undefined> {
  if (!existsSync(file(dataDir))) return undefined;
  const refuse = (why: string, cause?: unknown) =>
    new StrongroomError(
      'cluster.identity-invalid',
      `Cannot read the identity in "${file(dataDir)}": ${why}; restore the file from a copy`,
      { cause },
    );
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(file(dataDir), 'utf8'));
  } catch (error) {
    throw refuse('it is not JSON', error);
  }
  const result = identitySchema.safeParse(parsed);
  if (!result.success) throw refuse(result.error.issues[0]?.message ?? 'it is malformed');
  return result.data;
}

/** Writes the identity so that a crash leaves either none or all of it. */
export async function writeIdentity(dataDir: string, identity: Identity): Promise<void> {
  await writeAtomically(file(dataDir), `${JSON.stringify(identity, undefined, 2)}\n`, 0o600);
}

export function newClusterId(): string {
  return hex(randomBytes(16));
}
