import { createHash } from 'node:crypto';
import { type Random, SecretBytes } from '../../lib/index.ts';
import {
  corrupt,
  type Envelope,
  type EnvelopeContext,
  encodeEnvelope,
  openEnvelope,
  sealEnvelope,
  WRAPPING_SECRET_BYTES,
} from '../envelope.ts';
import type { Root } from '../root.ts';
import type { ShareCounts } from '../seal.ts';
import {
  combineShares,
  decodeShare,
  decodeShareSet,
  encodeShareSet,
  type ShareSet,
  splitSecret,
} from '../shares.ts';

/**
 * Seals the root under a fresh secret that exists only as shares, and opens it again from the
 * shares as they are handed out: a share that was never tried is no share.
 */
export async function sealForShares(options: {
  readonly clusterId: string;
  readonly slot: string;
  readonly generation: number;
  readonly counts: ShareCounts;
  readonly root: Root;
  readonly random: Random;
}): Promise<{ readonly envelope: Uint8Array; readonly shares: readonly string[] }> {
  const { clusterId, slot, generation, counts, root, random } = options;
  using secret = SecretBytes.take(random.bytes(WRAPPING_SECRET_BYTES));
  const { set, shares } = await splitSecret(secret, counts.shares, counts.threshold, random);
  const parameters = encodeShareSet(set);
  const context: EnvelopeContext = {
    clusterId,
    slot,
    kind: 'shamir',
    mechanism: 'shamir',
    kekLabel: set.id,
    kekFingerprint: Uint8Array.from(createHash('sha256').update(parameters).digest()),
    kekGeneration: generation,
    rootGeneration: root.generation,
    rootId: root.id,
    parameters,
  };
  const envelope = sealEnvelope(context, new Uint8Array(0), secret, root.secret, random);
  const lastOnes = shares.slice(-counts.threshold).map(decodeShare);
  using combined = await combineShares(lastOnes);
  for (const share of lastOnes) share.value[Symbol.dispose]();
  using _opened = openEnvelope(envelope, combined);
  return { envelope: encodeEnvelope(envelope), shares };
}

/** The same shares for another root: possible only while their secret is there, after an unseal. */
export function sealAnewForShares(
  envelope: Envelope,
  secret: SecretBytes,
  root: Root,
  random: Random,
): Uint8Array {
  const context = { ...envelope.context, rootGeneration: root.generation, rootId: root.id };
  return encodeEnvelope(sealEnvelope(context, new Uint8Array(0), secret, root.secret, random));
}

/** @throws StrongroomError `seal.envelope-corrupt` */
export function shareSetOf(envelope: Envelope): ShareSet {
  try {
    return decodeShareSet(envelope.context.parameters);
  } catch (cause) {
    throw corrupt(envelope.context.slot, 'its share set is malformed', cause);
  }
}
