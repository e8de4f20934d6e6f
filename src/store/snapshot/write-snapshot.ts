import { ByteWriter } from '../codec/byte-writer.ts';
import { corrupt, decodeData, type MetaRecord, writeMembership } from '../codec/records.ts';
import type { PhysicalEntry, PhysicalView } from '../disk/physical-view.ts';
import { metaKey, places, userKey, wholePlace } from '../disk/places.ts';
import { openBlock } from '../history-blocks.ts';
import { hides, type Tombstone } from '../range-deletes.ts';
import { ChunkPacker, chunkKinds, PAYLOAD_BYTES_MAX, SNAPSHOT_FORMAT } from './snapshot-format.ts';

const PAGE = 500;

export interface SnapshotContent {
  readonly view: PhysicalView;
  readonly tombstones: readonly Tombstone[];
  readonly meta: Omit<MetaRecord, 'batch'>;
}

/**
 * The chunks of a snapshot. Every record is checked on the way, so that a damaged one is found here
 * and not handed on.
 *
 * @throws StrongroomError `store.corrupt`
 */
export async function* snapshotChunks(content: SnapshotContent): AsyncGenerator<Uint8Array> {
  const packer = new ChunkPacker();
  yield packer.pack(chunkKinds.header, encodeHeader(content.meta));
  let pending = new ByteWriter(PAYLOAD_BYTES_MAX);
  let records = 0;
  for await (const page of recordPages(content)) {
    for (const { key, bytes } of page) {
      pending.bytes(key).bytes(bytes);
      records++;
    }
    if (pending.length < PAYLOAD_BYTES_MAX) continue;
    const filled = pending.finish();
    let at = 0;
    for (; filled.length - at >= PAYLOAD_BYTES_MAX; at += PAYLOAD_BYTES_MAX) {
      yield packer.pack(chunkKinds.records, filled.subarray(at, at + PAYLOAD_BYTES_MAX));
    }
    pending = new ByteWriter(PAYLOAD_BYTES_MAX).raw(filled.subarray(at));
  }
  if (pending.length > 0) yield packer.pack(chunkKinds.records, pending.finish());
  const trailer = new ByteWriter(64).varint(records).bytes(packer.digest()).finish();
  yield packer.pack(chunkKinds.trailer, trailer);
}

async function* recordPages(content: SnapshotContent): AsyncGenerator<readonly PhysicalEntry[]> {
  const { view, tombstones, meta } = content;
  let found = 0;
  for await (const page of view.pages({ ...wholePlace(places.data), pageSize: PAGE })) {
    found += page.length;
    yield page.filter(({ key, bytes }) => {
      const record = decodeData(key, bytes);
      return tombstones.length === 0 || !hides(tombstones, userKey(key), record.revision);
    });
  }
  if (found !== meta.records) {
    throw corrupt(metaKey, `it has ${found} data records instead of ${meta.records}`);
  }
  for await (const page of view.pages({ ...wholePlace(places.history), pageSize: PAGE })) {
    for (const { key, bytes } of page) openBlock(key, bytes);
    yield page;
  }
}

function encodeHeader(meta: Omit<MetaRecord, 'batch'>): Uint8Array {
  const out = new ByteWriter().u8(SNAPSHOT_FORMAT).varint(meta.index).varint(meta.term);
  writeMembership(out, meta.membership);
  return out.bytes(meta.digest).varint(meta.changeFloor).finish();
}
