import type { Entry, LogIndex, Membership, SnapshotMeta, Term } from '../core/index.ts';

/** A consistent copy of the state, streamed. */
export interface SnapshotSource extends AsyncDisposable {
  readonly meta: SnapshotMeta;
  /** Chunks of at most 256 KiB, with a checksum of their own inside. */
  chunks(): AsyncIterable<Uint8Array>;
}

/** What the driver replicates, as seen by the driver: opaque bytes in, opaque results out. */
export interface StateMachine {
  /** The last entry whose effects this state holds. On open: what survived the last process. */
  applied(): { readonly index: LogIndex; readonly term: Term; readonly membership: Membership };

  /**
   * Applies committed entries, in order and synchronously: on return reads see them. The result of
   * each `command` goes to whoever proposed it here. `membershipAfter` is the configuration after
   * the last entry; it is kept with the state. Deterministic. A throw stops the node.
   *
   * @returns one result an entry (`undefined` for those that are no command).
   */
  apply(entries: readonly Entry[], membershipAfter: Membership): readonly unknown[];

  /**
   * Undefined when more may be applied; else a promise to await before the next `apply`, so that
   * what waits for the disk stays bounded.
   */
  room?(): Promise<void> | undefined;

  /** Resolves when everything up to `index` would survive a power cut: then the log may go. */
  persist(index: LogIndex): Promise<void>;

  /** Opens a copy of the present state. */
  openSnapshot(): Promise<SnapshotSource>;

  /**
   * Replaces the whole state: staged beside the old one, verified, then switched at once.
   * @throws StrongroomError `store.snapshot-invalid`, with the old state untouched.
   */
  installSnapshot(meta: SnapshotMeta, chunks: AsyncIterable<Uint8Array>): Promise<void>;
}
