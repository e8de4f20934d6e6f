import type { Cancellation } from '../lib/index.ts';
import type { StateMachine } from '../raft/index.ts';
import type { KeyRange } from './codec/records.ts';
import type { Revision } from './transaction.ts';
import type { StateContent } from './verify-state.ts';
import type { ExpiredKey, View, WatchEvent } from './view.ts';

/**
 * Called synchronously after each applied batch. `changedRanges` were deleted as a whole, or, after
 * a snapshot was installed, may hold anything: drop what is cached of them.
 */
export type AppliedListener = (
  changedKeys: readonly Uint8Array[],
  revision: Revision,
  changedRanges: readonly KeyRange[],
) => void;

/** The replicated ordered state of one group on this node. */
export interface Store extends StateMachine, AsyncDisposable {
  readonly revision: Revision;
  view(): View;
  /**
   * Undefined when more entries may be applied; else a promise to await before the next `apply`,
   * so that what waits for the disk stays bounded.
   */
  room(): Promise<void> | undefined;
  /** Resolves when everything up to `revision` is applied here. */
  whenApplied(revision: Revision, signal: Cancellation): Promise<void>;
  /**
   * Changes of keys with `prefix` from `from` on: complete, in order, each once. A batch holds
   * whole revisions. Ends when `signal` aborts.
   * @throws StrongroomError `store.compacted` when `from` is older than the window.
   */
  watch(
    prefix: Uint8Array,
    from: Revision,
    signal: Cancellation,
  ): AsyncIterable<readonly WatchEvent[]>;
  /** For caches that must not be stale. @returns unsubscribe */
  onApplied(listener: AppliedListener): () => void;
  /**
   * The first result of a transaction that was applied here under `requestId`, while it is
   * remembered: lets the leader answer a retry without deciding anew. Synchronous.
   */
  receiptOf(
    requestId: Uint8Array,
  ): { readonly revision: Revision; readonly receipt: Uint8Array | undefined } | undefined;
  /** Keys whose deadline is at or before `nowMs`, earliest first. */
  expired(nowMs: number, limit: number): Promise<readonly ExpiredKey[]>;
  /** Running digest of everything applied: equal on all nodes at the same revision. */
  digest(): { readonly revision: Revision; readonly digest: Uint8Array };
  /** The digest at an earlier revision, while it is remembered. */
  digestAt(revision: Revision): Uint8Array | undefined;
  /**
   * Reads every record and checks it, the counts, and the expiry index.
   * @throws StrongroomError `store.corrupt`
   */
  verify(signal: Cancellation): Promise<{ readonly records: number }>;
  /**
   * Reads and checks every record as it was at `revision`, one of the batch that was applied last:
   * call it in an `onApplied` listener, so that all nodes read the very same state.
   * @param pause awaited after each page of so many records.
   * @throws StrongroomError `store.corrupt`; `store.compacted` for any other revision.
   */
  contentAt(
    revision: Revision,
    signal: Cancellation,
    pause?: (records: number) => Promise<void>,
  ): Promise<StateContent>;
}
