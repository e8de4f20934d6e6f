import { hash } from 'node:crypto';
import { unreachable } from '../lib/index.ts';
import type { Entry } from '../raft/index.ts';
import type { Applied } from './apply-transaction.ts';
import { ByteWriter } from './codec/byte-writer.ts';

export const DIGEST_BYTES = 32;
export const firstDigest = new Uint8Array(DIGEST_BYTES);

/**
 * SHA-256 over the digest before, the entry, and what applying it met: the outcome, and the
 * revision that each written key had. Nodes whose state differs where it mattered differ from then
 * on. Batch boundaries do not enter.
 */
export function nextDigest(
  before: Uint8Array,
  entry: Entry,
  applied: Applied | undefined,
): Uint8Array {
  const out = new ByteWriter(entry.data.length + 128).raw(before);
  out.u64(entry.index).u64(entry.term).u8(kindByte(entry.kind)).u8(outcomeByte(applied));
  if (applied?.result.kind === 'conflict') out.bytes(applied.result.key);
  if (applied?.result.kind === 'committed') out.varint(applied.result.revision);
  out.varint(applied?.before.length ?? 0);
  for (const revision of applied?.before ?? []) out.varint(revision);
  out.bytes(entry.data);
  return hash('sha256', out.finish(), 'buffer');
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
