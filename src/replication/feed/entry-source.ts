import type { Cancellation } from '../../lib/index.ts';
import type { Entry, LogIndex, RaftNode } from '../../raft/index.ts';

/** Where committed entries come from: a voter's log, or what a replica has lately received. */
export interface EntrySource {
  readonly commitIndex: number;
  /**
   * Committed entries from `from` on, in order, without end until `signal` aborts.
   * @throws StrongroomError `store.compacted` when `from` is no longer there.
   */
  committedEntries(from: LogIndex, signal: Cancellation): AsyncIterable<readonly Entry[]>;
}

/** The log of a Raft member. */
export function raftSource(raft: Pick<RaftNode, 'status' | 'committedEntries'>): EntrySource {
  return {
    get commitIndex() {
      return raft.status().commit;
    },
    committedEntries: (from, signal) => raft.committedEntries(from, signal),
  };
}
