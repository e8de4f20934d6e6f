import { RecentCache } from '../lib/index.ts';

/** What there is to know of a record beside its value, when it has a deadline. */
interface Expiring {
  readonly revision: number;
  readonly expiresAtMs: number;
}

/** Of one data key: the revision of its record, 0 when there is none, and its deadline if any. */
export type Head = number | Expiring;

export const ABSENT: Head = 0;

export function headOf(record: {
  readonly revision: number;
  readonly expiresAtMs: number | undefined;
}): Head {
  const { revision, expiresAtMs } = record;
  return expiresAtMs === undefined ? revision : { revision, expiresAtMs };
}

export function revisionIn(head: Head): number {
  return typeof head === 'number' ? head : head.revision;
}

export function deadlineIn(head: Head): number | undefined {
  return typeof head === 'number' ? undefined : head.expiresAtMs;
}

/** What an entry takes beside its text, roughly. */
const ENTRY_BYTES = 64;

/**
 * The heads of the data keys that were used last: checking a transaction and replacing records need
 * no more, and so mostly read nothing. It holds what the tables hold, or nothing of a key; so a hit
 * and a miss give the same.
 */
export class HeadCache extends RecentCache<string, Head> {
  constructor(bytesMax: number) {
    super({ sizeMax: bytesMax, sizeOf: (text) => ENTRY_BYTES + text.length });
  }
}
