import { createHash, type Hash } from 'node:crypto';
import type { Cancellation } from '../lib/index.ts';
import { corrupt, decodeData, decodeRange } from './codec/records.ts';
import type { PhysicalEntry, PhysicalView } from './disk/physical-view.ts';
import { expiryKey, metaKey, places, userKey, wholePlace } from './disk/places.ts';
import { openBlock } from './history-blocks.ts';
import { hides, type Tombstone } from './range-deletes.ts';

const PAGE = 256;

/** What a pass over the whole state found. */
export interface StateContent {
  /** Data records that are not hidden by a range delete. */
  readonly records: number;
  /**
   * SHA-256 over every one of them, keys and bytes: equal on all nodes at the same revision, however
   * the records came there. The running digest cannot tell a record that was altered on the disk
   * together with its checksum; this does.
   */
  readonly digest: Uint8Array;
}

export interface VerifyOptions {
  readonly signal: Cancellation;
  readonly tombstones: readonly Tombstone[];
  /** Hidden records included; not checked when unknown. */
  readonly expectedRecords?: number;
  /** Off while range deletes are worked off: records and their deadlines go one after the other. */
  readonly checkDeadlines: boolean;
  /** Awaited after each page, so that reading everything takes as long as it should. */
  readonly pause?: (records: number) => Promise<void>;
}

/**
 * Reads everything: LevelDB does not check what it reads, and a record whose key is damaged is
 * simply not found. In slices, beside other work.
 *
 * @throws StrongroomError `store.corrupt`
 */
export async function verifyState(
  view: PhysicalView,
  options: VerifyOptions,
): Promise<StateContent> {
  const { expectedRecords, checkDeadlines } = options;
  const content = createHash('sha256');
  let [records, all, deadlines] = [0, 0, 0];
  await eachPage(view, places.data, options, (page) => {
    for (const { key, bytes } of page) {
      const record = decodeData(key, bytes);
      all++;
      if (!hides(options.tombstones, userKey(key), record.revision)) {
        records++;
        addTo(content, key, bytes);
      }
      if (record.expiresAtMs === undefined) continue;
      deadlines++;
      if (!checkDeadlines) continue;
      if (view.get(expiryKey(record.expiresAtMs, userKey(key))) === undefined) {
        throw corrupt(key, 'its deadline is not in the expiry index');
      }
    }
  });
  if (expectedRecords !== undefined && all !== expectedRecords) {
    throw corrupt(metaKey, `it has ${all} data records instead of ${expectedRecords}`);
  }
  let indexed = 0;
  await eachPage(view, places.expiry, options, (page) => {
    indexed += page.length;
  });
  if (checkDeadlines && indexed !== deadlines) {
    throw corrupt(metaKey, `its expiry index has ${indexed} keys instead of ${deadlines}`);
  }
  await eachPage(view, places.history, options, (page) => {
    for (const { key, bytes } of page) openBlock(key, bytes);
  });
  await eachPage(view, places.tombstone, options, (page) => {
    for (const { key, bytes } of page) decodeRange(key, bytes);
  });
  return { records, digest: content.digest() };
}

async function eachPage(
  view: PhysicalView,
  place: (typeof places)[keyof typeof places],
  { signal, pause }: VerifyOptions,
  look: (page: readonly PhysicalEntry[]) => void,
): Promise<void> {
  for await (const page of view.pages({ ...wholePlace(place), pageSize: PAGE })) {
    signal.throwIfAborted();
    look(page);
    await pause?.(page.length);
  }
}

function addTo(content: Hash, key: Uint8Array, bytes: Uint8Array): void {
  const lengths = Buffer.allocUnsafe(8);
  lengths.writeUInt32BE(key.length, 0);
  lengths.writeUInt32BE(bytes.length, 4);
  content.update(lengths).update(key).update(bytes);
}
