import { unreachable } from '../lib/index.ts';
import type { Entry } from '../raft/index.ts';
import type { Applied } from './apply-transaction.ts';
import type { ByteWriter } from './codec/byte-writer.ts';

export const DIGEST_BYTES = 32;
export const firstDigest = new Uint8Array(DIGEST_BYTES);

/**
 * What the digest at an entry is made of: the digest before, the entry, and what applying it met,
 * which is the outcome and the revision that each written key had. Nodes whose state differs where
 * it mattered differ from then on. Batch boundaries do not enter.
 */
export function writeDigestInput(
  out: ByteWriter,
  before: Uint8Array,
  entry: Entry,
  applied: Applied | undefined,
): void {
  out.raw(before);
  out.u64(entry.index).u64(entry.term).u8(kindByte(entry.kind)).u8(outcomeByte(applied));
  if (applied?.result.kind === 'conflict') out.bytes(applied.result.key);
  if (applied?.result.kind === 'committed') out.varint(applied.result.revision);
  out.varint(applied?.before.length ?? 0);
  if (applied !== undefined) for (const revision of applied.before) out.varint(revision);
  out.bytes(entry.data);
}

function kindByte(kind: Entry['kind']): number {
  switch (kind) {
    case 'command':
      return 1;
    case 'empty':
      return 2;
    case 'membership':
      return 3;
    default:
      return unreachable(kind);
  }
}

function outcomeByte(applied: Applied | undefined): number {
  if (applied === undefined) return 0;
  if (applied.result.kind === 'conflict') return 1;
  return applied.result.replayed ? 3 : 2;
}
