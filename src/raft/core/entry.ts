import type { Entry } from './message.ts';

/** What index, term, kind and framing add to an entry's payload, about. */
const ENTRY_OVERHEAD_BYTES = 24;

/** The size an entry counts for against byte budgets of messages and windows. */
export function entryBytes(entry: Entry): number {
  return entry.data.byteLength + ENTRY_OVERHEAD_BYTES;
}

export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}
