import type { Cancellation } from '../lib/index.ts';
import { corrupt, decodeData, decodeHistory, decodeRange } from './codec/records.ts';
import type { PhysicalView } from './disk/physical-view.ts';
import { expiryKey, metaKey, places, userKey, wholePlace } from './disk/places.ts';

const PAGE = 256;

/**
 * Reads everything: LevelDB does not check what it reads, and a record whose key is damaged is
 * simply not found. In slices, beside other work.
 *
 * @throws StrongroomError `store.corrupt`
 */
export async function verifyState(
  view: PhysicalView,
  expectedRecords: number,
  signal: Cancellation,
): Promise<{ readonly records: number }> {
  let records = 0;
  let deadlines = 0;
  for await (const page of view.pages({ ...wholePlace(places.data), pageSize: PAGE })) {
    signal.throwIfAborted();
    for (const { key, bytes } of page) {
      const { expiresAtMs } = decodeData(key, bytes);
      records++;
      if (expiresAtMs === undefined) continue;
      deadlines++;
      if (view.get(expiryKey(expiresAtMs, userKey(key))) === undefined) {
        throw corrupt(key, 'its deadline is not in the expiry index');
      }
    }
  }
  if (records !== expectedRecords) {
    throw corrupt(metaKey, `it has ${records} data records instead of ${expectedRecords}`);
  }
  let indexed = 0;
  for await (const page of view.pages({ ...wholePlace(places.expiry), pageSize: PAGE })) {
    signal.throwIfAborted();
    indexed += page.length;
  }
  if (indexed !== deadlines) {
    throw corrupt(metaKey, `its expiry index has ${indexed} keys instead of ${deadlines}`);
  }
  for await (const page of view.pages({ ...wholePlace(places.history), pageSize: PAGE })) {
    signal.throwIfAborted();
    for (const { key, bytes } of page) decodeHistory(key, bytes);
  }
  for await (const page of view.pages({ ...wholePlace(places.tombstone), pageSize: PAGE })) {
    for (const { key, bytes } of page) decodeRange(key, bytes);
  }
  return { records };
}
