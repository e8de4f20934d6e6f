import { decodeData } from './codec/records.ts';
import type { PhysicalView } from './disk/physical-view.ts';
import { dataKey, expiryKey, places, splitExpiryKey } from './disk/places.ts';
import { hides, type Tombstone } from './range-deletes.ts';
import type { ExpiredKey } from './view.ts';

const PAGE_MAX = 256;

/** Walks the expiry index from its beginning; what was hidden by a range delete is passed over. */
export async function expiredKeys(
  view: PhysicalView,
  tombstones: readonly Tombstone[],
  nowMs: number,
  limit: number,
): Promise<readonly ExpiredKey[]> {
  const found: ExpiredKey[] = [];
  if (limit <= 0 || nowMs < 0) return found;
  const pages = view.pages({
    start: Buffer.from([places.expiry]),
    end: expiryKey(Math.floor(nowMs) + 1, new Uint8Array()),
    pageSize: Math.min(limit, PAGE_MAX),
  });
  for await (const page of pages) {
    for (const { key: indexKey } of page) {
      const { deadlineMs, key } = splitExpiryKey(indexKey);
      const place = dataKey(key);
      const bytes = view.get(place);
      if (bytes === undefined) continue;
      const record = decodeData(place, bytes);
      if (record.expiresAtMs !== deadlineMs || hides(tombstones, key, record.revision)) continue;
      found.push({ key, expiresAtMs: deadlineMs });
      if (found.length === limit) return found;
    }
  }
  return found;
}
