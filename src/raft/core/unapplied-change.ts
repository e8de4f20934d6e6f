import type { CoreState } from './core-state.ts';
import type { LogIndex } from './message.ts';

/** Entries looked at in one go while searching for an unapplied membership change. */
const SCAN_BYTES_MAX = 1024 * 1024;

/**
 * A node that holds a change in its log knows the one before it to be committed (the append that
 * brought it said so). Without this, it could win by a majority of a membership two changes old,
 * which need not meet a majority of the present one (etcd #11284, #12359).
 */
export function hasUnappliedChange(core: CoreState): boolean {
  let from = (core.apply.applied + 1) as LogIndex;
  const to = (core.commit + 1) as LogIndex;
  while (from < to) {
    const entries = core.log.slice(from, to, SCAN_BYTES_MAX);
    // What cannot be looked at may hold one.
    if (entries === undefined || entries.length === 0) return true;
    if (entries.some((entry) => entry.kind === 'membership')) return true;
    from = (from + entries.length) as LogIndex;
  }
  return false;
}
