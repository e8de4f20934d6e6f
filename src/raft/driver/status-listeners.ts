import type { Clock } from '../../lib/index.ts';
import type { RaftStatus } from './raft-node.ts';

/** Who wants to know when role, term, leader or membership change. */
export class StatusListeners {
  readonly #clock: Clock;
  readonly #listeners = new Set<(status: RaftStatus) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns unsubscribe */
  add(listener: (status: RaftStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  tell(status: RaftStatus): void {
    for (const listener of this.#listeners) listener(status);
  }

  /** Waits for a status, however long it takes. */
  when(condition: (status: RaftStatus) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const off = this.add((status) => {
        if (!condition(status)) return;
        off();
        resolve();
      });
    });
  }

  /** Waits for a status; `false` when it does not come in time, or the node ends. */
  until(condition: (status: RaftStatus) => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (held: boolean) => {
        off();
        timer.cancel();
        resolve(held);
      };
      const off = this.add((status) => {
        if (condition(status)) settle(true);
        else if (status.role === 'stopped') settle(false);
      });
      const timer = this.#clock.after(timeoutMs, () => settle(false));
    });
  }
}
