import { equalBytes, StrongroomError } from '../../lib/index.ts';
import type { SnapshotMeta } from '../../raft/index.ts';
import { ByteReader, CodecError } from '../codec/byte-reader.ts';
import { decodeData, type MetaRecord, readMembership } from '../codec/records.ts';
import { DIGEST_BYTES } from '../digest.ts';
import { keyText, Layer } from '../disk/layer.ts';
import type { LevelDisk } from '../disk/level-disk.ts';
import { expiryKey, places, userKey } from '../disk/places.ts';
import { openBlock } from '../history-blocks.ts';
import { transactionLimits as limits } from '../limits.ts';
import {
  ChunkOpener,
  chunkKinds,
  FORMER_SNAPSHOT_FORMAT,
  SNAPSHOT_FORMAT,
  snapshotInvalid,
} from './snapshot-format.ts';

const LAYER_BYTES = 4 * 1024 * 1024;
/** A record is a value, and its key, request id, receipt or list of keys. */
const RECORD_BYTES_MAX = 2 * limits.encodedBytesMax;

type Header = Omit<MetaRecord, 'batch' | 'records'>;
/** Where records go. */
type Target = Pick<LevelDisk, 'write'>;

/**
 * Reads chunks into an empty database.
 *
 * @throws StrongroomError `store.snapshot-invalid` for anything that is not a whole snapshot of
 *   `meta`, and for whatever `chunks` throws.
 */
export async function readSnapshot(
  meta: SnapshotMeta,
  chunks: AsyncIterable<Uint8Array>,
  disk: Target,
): Promise<Omit<MetaRecord, 'batch'>> {
  try {
    return await read(meta, chunks, disk);
  } catch (error) {
    if (error instanceof StrongroomError && error.code !== 'store.corrupt') throw error;
    const because = error instanceof CodecError ? error.message : 'it was cut off or is damaged';
    throw snapshotInvalid(because, error);
  }
}

/**
 * Reads chunks to their end and keeps nothing: every checksum, record and count is looked at.
 *
 * @throws StrongroomError as `readSnapshot`
 */
export async function verifySnapshot(
  meta: SnapshotMeta,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  await readSnapshot(meta, chunks, { write: async () => {} });
}

async function read(
  meta: SnapshotMeta,
  chunks: AsyncIterable<Uint8Array>,
  disk: Target,
): Promise<Omit<MetaRecord, 'batch'>> {
  const opener = new ChunkOpener();
  const sink = new RecordSink(disk);
  let header: Header | undefined;
  let complete = false;
  for await (const chunk of chunks) {
    const { kind, payload, digestBefore } = opener.open(chunk);
    if (complete) throw new CodecError('something follows its end');
    if (header === undefined) {
      if (kind !== chunkKinds.header) throw new CodecError('it does not begin with a header');
      header = decodeHeader(payload, meta);
      sink.header = header;
    } else if (kind === chunkKinds.records) {
      await sink.push(payload);
    } else if (kind === chunkKinds.trailer) {
      checkTrailer(payload, sink, digestBefore());
      complete = true;
    } else {
      throw new CodecError(`a chunk has the unknown kind ${kind}`);
    }
  }
  if (header === undefined || !complete) throw new CodecError('its end is missing');
  await sink.end();
  return { ...header, records: sink.dataRecords };
}

/** Takes the stream of records apart and writes them in batches. */
class RecordSink {
  readonly #disk: Target;
  header: Header | undefined;
  records = 0;
  dataRecords = 0;
  #rest: Uint8Array = new Uint8Array();
  #layer = new Layer();
  #written: Promise<void> = Promise.resolve();
  #lastKey = '';

  constructor(disk: Target) {
    this.#disk = disk;
  }

  get restBytes(): number {
    return this.#rest.length;
  }

  async push(payload: Uint8Array): Promise<void> {
    const joined = this.#rest.length === 0 ? payload : Buffer.concat([this.#rest, payload]);
    let at = 0;
    for (;;) {
      const length = this.#take(joined.subarray(at));
      if (length === 0) break;
      at += length;
      if (this.#layer.bytes >= LAYER_BYTES) await this.#flush();
    }
    this.#rest = joined.slice(at);
    if (this.#rest.length > RECORD_BYTES_MAX) throw new CodecError('a record is too large');
  }

  /** Resolves when all is on disk. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#written;
  }

  /** What comes next is taken apart while this is written: one layer at a time. */
  async #flush(): Promise<void> {
    await this.#written;
    if (this.header === undefined) return;
    const layer = this.#layer;
    this.#layer = new Layer();
    this.#written = this.#disk.write(layer, { ...this.header, records: this.dataRecords });
    // Met by whoever awaits it next.
    this.#written.catch(() => undefined);
  }

  /** @returns how many bytes the first record had, 0 when it is not whole yet */
  #take(bytes: Uint8Array): number {
    const source = new ByteReader(bytes);
    let key: Uint8Array;
    let value: Uint8Array;
    try {
      key = source.bytes(limits.keyBytesMax + 1, 'key');
      value = source.bytes(RECORD_BYTES_MAX, 'record');
    } catch (error) {
      if (error instanceof CodecError && bytes.length <= RECORD_BYTES_MAX) return 0;
      throw error;
    }
    const text = keyText(key);
    if (text <= this.#lastKey) throw new CodecError('its records are out of order');
    this.#lastKey = text;
    this.#keep(Buffer.from(key), value.slice(), text);
    this.records++;
    return bytes.length - source.left;
  }

  #keep(key: Buffer, value: Uint8Array, text: string): void {
    if (key[0] === places.history) {
      openBlock(key, value);
    } else if (key[0] === places.data) {
      const record = decodeData(key, value);
      this.dataRecords++;
      if (record.expiresAtMs !== undefined) {
        const place = expiryKey(record.expiresAtMs, userKey(key));
        this.#layer.put(keyText(place), place, 0, new Uint8Array());
      }
    } else {
      throw new CodecError(`a record has the unknown kind ${key[0] ?? 'none'}`);
    }
    this.#layer.put(text, key, 0, value);
  }
}

function decodeHeader(payload: Uint8Array, meta: SnapshotMeta): Header {
  const source = new ByteReader(payload);
  const format = source.u8();
  if (format !== SNAPSHOT_FORMAT && format !== FORMER_SNAPSHOT_FORMAT) {
    throw new CodecError(`its format ${format} is not known here`);
  }
  const header = {
    index: source.varint(),
    term: source.varint(),
    membership: readMembership(source),
    digest: Uint8Array.from(source.bytes(DIGEST_BYTES, 'digest')),
    changeFloor: source.varint(),
  };
  source.end();
  if (header.digest.length !== DIGEST_BYTES) throw new CodecError('its digest has a wrong length');
  if (header.index !== meta.index || header.term !== meta.term) {
    throw new CodecError(`it is of index ${header.index}, announced was ${meta.index}`);
  }
  return header;
}

function checkTrailer(payload: Uint8Array, sink: RecordSink, digest: Uint8Array): void {
  const source = new ByteReader(payload);
  const records = source.varint();
  const announced = source.bytes(DIGEST_BYTES, 'digest');
  source.end();
  if (sink.restBytes > 0) throw new CodecError('its last record is cut short');
  if (records !== sink.records) {
    throw new CodecError(`it has ${sink.records} records, ${records} were announced`);
  }
  if (!equalBytes(announced, digest)) throw new CodecError('its hash does not fit');
}
