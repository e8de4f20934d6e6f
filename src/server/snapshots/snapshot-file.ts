import { z } from 'zod';
import { StrongroomError } from '../../lib/index.ts';
import type { LogIndex, NodeId, SnapshotMeta, Term } from '../../raft/index.ts';
import { CodecError, verifySnapshot } from '../../store/index.ts';

const MAGIC = 'strongroom snapshot 1\n';
const LENGTH_BYTES = 4;
const FRAME_BYTES_MAX = 1024 * 1024;

const nodes = z.array(z.number().int().positive()).max(10_000);
const headerSchema = z.strictObject({
  clusterId: z.string(),
  takenAtMs: z.number(),
  index: z.number().int().nonnegative(),
  term: z.number().int().nonnegative(),
  membership: z.strictObject({ voters: nodes, learners: nodes, removed: nodes }),
});

/** What a snapshot file says of itself, in clear. */
export type SnapshotHeader = z.infer<typeof headerSchema>;

/**
 * A snapshot as a file: a line that names the format, a header, then the store's own chunks, each
 * after its length. What the chunks hold is checked by the store.
 */
export async function* toFile(
  header: SnapshotHeader,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(MAGIC);
  yield framed(Buffer.from(JSON.stringify(header)));
  for await (const chunk of chunks) yield framed(chunk);
}

/** Takes a file apart again. @throws StrongroomError `store.snapshot-invalid` */
export async function openSnapshotFile(bytes: AsyncIterable<Uint8Array>): Promise<{
  readonly header: SnapshotHeader;
  readonly meta: SnapshotMeta;
  readonly chunks: AsyncIterable<Uint8Array>;
}> {
  const frames = readFrames(bytes);
  const first = await frames.next();
  if (first.done === true) throw invalid('it is empty');
  const header = parseHeader(first.value);
  const { voters, learners, removed } = header.membership;
  return {
    header,
    meta: {
      index: header.index as LogIndex,
      term: header.term as Term,
      membership: {
        voters: voters as NodeId[],
        learners: learners as NodeId[],
        removed: removed as NodeId[],
      },
    },
    chunks: frames,
  };
}

/**
 * Reads a file to its end and checks all that can be checked without a seal.
 *
 * @returns its header, and how many bytes its content has.
 * @throws StrongroomError `store.snapshot-invalid`
 */
export async function verifySnapshotFile(
  file: AsyncIterable<Uint8Array>,
): Promise<{ readonly header: SnapshotHeader; readonly bytes: number }> {
  const { header, meta, chunks } = await openSnapshotFile(file);
  let bytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  try {
    await verifySnapshot(meta, counted());
  } catch (error) {
    // The store speaks to nodes that install a snapshot; here somebody looks at a file.
    const why = error instanceof StrongroomError ? error.cause : undefined;
    throw why instanceof CodecError ? invalid(why.message, error) : error;
  }
  return { header, bytes };
}

async function* readFrames(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0);
  let seenMagic = false;
  for await (const part of bytes) {
    rest = rest.length === 0 ? Buffer.from(part) : Buffer.concat([rest, part]);
    if (!seenMagic) {
      if (rest.length < MAGIC.length) continue;
      if (rest.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) {
        throw invalid('it is no snapshot of this version of Strongroom');
      }
      seenMagic = true;
      rest = rest.subarray(MAGIC.length);
    }
    while (rest.length >= LENGTH_BYTES) {
      const length = rest.readUInt32BE(0);
      if (length > FRAME_BYTES_MAX) throw invalid('a part of it is too long');
      if (rest.length < LENGTH_BYTES + length) break;
      yield rest.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
      rest = rest.subarray(LENGTH_BYTES + length);
    }
  }
  if (!seenMagic || rest.length > 0) throw invalid('it was cut off');
}

function parseHeader(bytes: Uint8Array): SnapshotHeader {
  try {
    return headerSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    throw invalid('its header is damaged', error);
  }
}

function framed(bytes: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafe(LENGTH_BYTES + bytes.length);
  out.writeUInt32BE(bytes.length);
  out.set(bytes, LENGTH_BYTES);
  return out;
}

export function invalid(why: string, cause?: unknown): StrongroomError {
  return new StrongroomError(
    'store.snapshot-invalid',
    `Cannot use the snapshot: ${why}. Nothing was changed; take another copy`,
    { cause },
  );
}
