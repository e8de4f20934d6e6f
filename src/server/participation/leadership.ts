import {
  type Cancellation,
  type Clock,
  hasCode,
  StrongroomError,
  type Timer,
} from '../../lib/index.ts';
import type { RaftNode, RaftStatus } from '../../raft/index.ts';
import type { Revision, Store } from '../../store/index.ts';
import type { Logger } from '../../telemetry/index.ts';

const CONFIRM_MS = 10_000;
const AGAIN_MS = 100;

/**
 * Whether this node leads *and* knows everything that its predecessors acknowledged. A leader that
 * was elected a moment ago may still have to apply entries of earlier terms; answering from that
 * state could honour a token that was revoked.
 */
export class Leadership implements Disposable {
  readonly #raft: RaftNode;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #unsubscribe: () => void;
  readonly #listeners = new Set<(isReady: boolean) => void>();
  #readyTerm = 0;
  #again: Timer | undefined;
  #confirming = 0;

  constructor(raft: RaftNode, store: Store, clock: Clock, log: Logger) {
    this.#raft = raft;
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#unsubscribe = raft.onStatusChange((status) => this.#changed(status));
    this.#changed(raft.status());
  }

  get isReady(): boolean {
    const term = this.#raft.leadingTerm;
    return term !== undefined && term === this.#readyTerm;
  }

  /** 0 while none is known. */
  get leader(): number {
    return this.#raft.status().leader ?? 0;
  }

  /** Called when this node becomes a ready leader, and when it is one no more. */
  onChange(listener: (isReady: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves with the leader's id, once this node is ready if it is the leader itself.
   * @throws StrongroomError `raft.no-leader` when `signal` ends first.
   */
  async whenKnown(signal: Cancellation): Promise<number> {
    const known = () => {
      const { role, leader } = this.#raft.status();
      if (role === 'leader') return this.isReady ? leader : undefined;
      return leader;
    };
    const now = known();
    if (now !== undefined) return now;
    return new Promise((resolve, reject) => {
      const look = () => {
        const leader = known();
        if (leader !== undefined) done(() => resolve(leader));
      };
      const abandon = () =>
        done(() =>
          reject(
            new StrongroomError(
              'raft.no-leader',
              'No node leads at the moment: an election is under way, or most voters cannot be reached; try again',
            ),
          ),
        );
      const stops = [this.#raft.onStatusChange(look), this.onChange(look)];
      const done = (end: () => void) => {
        for (const stop of stops) stop();
        signal.removeEventListener('abort', abandon);
        end();
      };
      signal.addEventListener('abort', abandon, { once: true });
      if (signal.aborted) abandon();
      else look();
    });
  }

  #changed(status: RaftStatus): void {
    if (status.role === 'leader') {
      if (status.term !== this.#readyTerm && status.term !== this.#confirming) {
        this.#confirming = status.term;
        void this.#confirm(status.term);
      }
    } else if (this.#readyTerm !== 0) {
      this.#readyTerm = 0;
      this.#tell(false);
    }
  }

  async #confirm(term: number): Promise<void> {
    try {
      const signal = AbortSignal.timeout(CONFIRM_MS);
      const index = await this.#raft.readIndex({ signal });
      await this.#store.whenApplied(index as number as Revision, signal);
    } catch (error) {
      this.#confirming = 0;
      if (!hasCode(error, 'raft.no-leader', 'raft.stopped'))
        this.#log.warn({ term, error: String(error) }, 'Could not confirm the leadership yet');
      // Still leader: a quorum may answer now.
      this.#again = this.#clock.after(AGAIN_MS, () => this.#changed(this.#raft.status()));
      return;
    }
    this.#confirming = 0;
    const status = this.#raft.status();
    if (status.role !== 'leader' || status.term !== term) return;
    this.#readyTerm = term;
    this.#log.info({ term }, 'Leading');
    this.#tell(true);
  }

  #tell(isReady: boolean): void {
    for (const listener of this.#listeners) listener(isReady);
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.#again?.cancel();
    this.#listeners.clear();
  }
}
