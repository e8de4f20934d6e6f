import type { StateMachine } from '../raft/index.ts';
import type { Revision } from './transaction.ts';
import type { ExpiredKey, View, WatchEvent } from './view.ts';

/** The replicated ordered state of one group on this node. */
export interface Store extends StateMachine, AsyncDisposable {
  readonly revision: Revision;
  view(): View;
  /** Resolves when everything up to `revision` is applied here. */
  whenApplied(revision: Revision, signal: AbortSignal): Promise<void>;
  /**
   * Changes of keys with `prefix` from `from` on: complete, in order, each once.
   * @throws StrongroomError `store.compacted` when `from` is older than the window.
   */
  watch(
    prefix: Uint8Array,
    from: Revision,
    signal: AbortSignal,
  ): AsyncIterable<readonly WatchEvent[]>;
  /** Called synchronously after each applied batch, for caches that must not be stale. */
  onApplied(listener: (changedKeys: readonly Uint8Array[], revision: Revision) => void): () => void;
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
}
