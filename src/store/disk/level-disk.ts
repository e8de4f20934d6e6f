import { ClassicLevel, type Snapshot } from 'classic-level';
import { invariant, StrongroomError } from '../../lib/index.ts';
import { ByteWriter } from '../codec/byte-writer.ts';
import {
  corrupt,
  decodeMeta,
  encodeMeta,
  type MetaRecord,
  openRecord,
  sealRecord,
} from '../codec/records.ts';
import type { Layer } from './layer.ts';
import { journalKey, metaKey, places, wholePlace } from './places.ts';

type Db = ClassicLevel<Buffer, Buffer>;
export type DiskEntry = readonly [key: Buffer, value: Buffer];

/** Operations built between two turns of the event loop: about 2 ms. */
const OPERATIONS_A_SLICE = 256;
/** Twice LevelDB's own choice: what is overwritten meanwhile is never sorted into tables. */
const WRITE_BUFFER_BYTES = 8 * 1024 * 1024;
const CACHE_BYTES = 32 * 1024 * 1024;
/**
 * More batches than fit into one write-ahead file of LevelDB: it begins a new one when the write
 * buffer is full, and the two records that each batch has of its own take some 180 bytes there.
 */
const JOURNAL_SLOTS = 65_536;
const JOURNAL_PAGE = 1000;

/** A state of the database that stays readable until the last user releases it. */
export interface DiskSnapshot {
  get(key: Buffer): Buffer | undefined;
  iterate(range: {
    readonly start: Buffer;
    readonly end: Buffer;
    readonly reverse: boolean;
    readonly pageSize: number;
  }): AsyncGenerator<readonly DiskEntry[]>;
  release(): void;
}

/**
 * LevelDB, one batch at a time, each synced before the next begins: two at once would be reordered
 * by the thread pool, and an unsynced one before a synced one could be lost alone.
 */
export class LevelDisk {
  readonly #db: Db;
  #batch: number;
  #writing = false;
  #current: SharedSnapshot | undefined;
  #held = 0;
  #idle: (() => void) | undefined;

  private constructor(db: Db, batch: number) {
    this.#db = db;
    this.#batch = batch;
  }

  /**
   * Opens or makes the database.
   *
   * @returns also the meta record of the last batch, undefined in a new database.
   * @throws StrongroomError `store.corrupt` when LevelDB cannot open it, or has lost a batch.
   */
  static async open(
    location: string,
  ): Promise<{ readonly disk: LevelDisk; readonly meta: MetaRecord | undefined }> {
    const db: Db = new ClassicLevel(location, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      compression: false,
      writeBufferSize: WRITE_BUFFER_BYTES,
      cacheSize: CACHE_BYTES,
    });
    try {
      await db.open();
    } catch (error) {
      throw cannotOpen(location, 'LevelDB refuses it', error);
    }
    try {
      const meta = await readMeta(db, location);
      return { disk: new LevelDisk(db, meta?.batch ?? 0), meta };
    } catch (error) {
      await db.close();
      throw readFailed(metaKey, error);
    }
  }

  /** What the last batch left under `key`, or one that is being written just now. */
  get(key: Buffer): Buffer | undefined {
    try {
      return this.#db.getSync(key);
    } catch (error) {
      throw readFailed(key, error);
    }
  }

  snapshot(): DiskSnapshot {
    if (this.#current === undefined) {
      this.#held++;
      this.#current = new SharedSnapshot(this.#db, () => {
        if (--this.#held === 0) this.#idle?.();
      });
    }
    this.#current.hold();
    return this.#current;
  }

  /** Writes a sealed layer and `meta` as one synced batch. Snapshots taken later see it. */
  async write(layer: Layer | undefined, meta: Omit<MetaRecord, 'batch'>): Promise<void> {
    invariant(!this.#writing, 'Only one storage write may be in flight');
    this.#writing = true;
    const number = this.#batch + 1;
    const batch = this.#db.batch();
    try {
      let left = OPERATIONS_A_SLICE;
      for (const { key, bytes } of layer?.newest() ?? []) {
        if (bytes === undefined) batch.del(key);
        else batch.put(key, asBuffer(bytes));
        if (--left > 0) continue;
        left = OPERATIONS_A_SLICE;
        await new Promise((resolve) => setImmediate(resolve));
      }
      batch.put(metaKey, asBuffer(encodeMeta(metaKey, { ...meta, batch: number })));
      const slot = journalKey(number % JOURNAL_SLOTS);
      batch.put(slot, asBuffer(sealRecord(slot, new ByteWriter(16).varint(number))));
      await batch.write({ sync: true });
    } catch (error) {
      await batch.close();
      throw error;
    }
    this.#batch = number;
    this.#writing = false;
    this.#current?.drop();
    this.#current = undefined;
  }

  /** Closes when the last snapshot is released. */
  async close(): Promise<void> {
    this.#current?.drop();
    this.#current = undefined;
    if (this.#held > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await this.#db.close();
  }
}

class SharedSnapshot implements DiskSnapshot {
  readonly #db: Db;
  readonly #snapshot: Snapshot;
  readonly #onClosed: () => void;
  /** The disk itself holds it until it is outdated. */
  #holders = 1;

  constructor(db: Db, onClosed: () => void) {
    this.#db = db;
    this.#snapshot = db.snapshot();
    this.#onClosed = onClosed;
  }

  hold(): void {
    this.#holders++;
  }

  get(key: Buffer): Buffer | undefined {
    try {
      return this.#db.getSync(key, { snapshot: this.#snapshot });
    } catch (error) {
      throw readFailed(key, error);
    }
  }

  async *iterate(range: {
    readonly start: Buffer;
    readonly end: Buffer;
    readonly reverse: boolean;
    readonly pageSize: number;
  }): AsyncGenerator<readonly DiskEntry[]> {
    const iterator = this.#db.iterator({
      gte: range.start,
      lt: range.end,
      reverse: range.reverse,
      snapshot: this.#snapshot,
    });
    try {
      for (;;) {
        const page = await iterator.nextv(range.pageSize).catch((error: unknown) => {
          throw readFailed(range.start, error);
        });
        if (page.length === 0) return;
        yield page;
      }
    } finally {
      await iterator.close();
    }
  }

  release(): void {
    this.drop();
  }

  drop(): void {
    if (--this.#holders > 0) return;
    // The promise of `close` only says that nothing uses it any more, which holds already.
    void this.#snapshot.close().then(this.#onClosed);
  }
}

async function readMeta(db: Db, location: string): Promise<MetaRecord | undefined> {
  const bytes = db.getSync(metaKey);
  if (bytes === undefined) {
    for await (const _ of db.keys({ limit: 1 })) {
      throw cannotOpen(location, 'it has records, and none says how far it is');
    }
    return undefined;
  }
  const meta = decodeMeta(metaKey, bytes);
  await checkJournal(db, meta.batch, location);
  return meta;
}

/**
 * LevelDB skips a damaged stretch of its write-ahead file and goes on after it. Each batch has left
 * its number, so a skipped one shows as a gap.
 */
async function checkJournal(db: Db, last: number, location: string): Promise<void> {
  const { start, end } = wholePlace(places.journal);
  let found = 0;
  const iterator = db.iterator({ gte: start, lt: end });
  try {
    for (;;) {
      const page = await iterator.nextv(JOURNAL_PAGE);
      if (page.length === 0) break;
      for (const [key, value] of page) checkJournalRecord(key, value, last);
      found += page.length;
    }
  } finally {
    await iterator.close();
  }
  const expected = Math.min(last, JOURNAL_SLOTS);
  if (found !== expected) {
    throw cannotOpen(location, `${expected - found} of its last batches are missing`);
  }
}

function checkJournalRecord(key: Buffer, value: Buffer, last: number): void {
  const number = openRecord(key, value, (source) => source.varint());
  if (number > last || number <= last - JOURNAL_SLOTS) {
    throw corrupt(key, `batch ${number} does not belong to a state of ${last} batches`);
  }
}

/** What LevelDB itself finds damaged is the same to callers as what our checksums find. */
function readFailed(key: Uint8Array, error: unknown): unknown {
  // Its synchronous calls throw errors without a code, so the kind is in the text only.
  const damaged = error instanceof Error && /^(?:Corruption|IO error)\b/.test(error.message);
  if (damaged) return corrupt(key, 'LevelDB cannot read it', error);
  return error;
}

function cannotOpen(location: string, because: string, cause?: unknown): StrongroomError {
  return new StrongroomError(
    'store.corrupt',
    `Cannot open the state in ${location}: ${because}. Remove it and let the node be caught up by a snapshot`,
    cause === undefined ? {} : { cause },
  );
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
