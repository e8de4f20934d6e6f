import type { StorageReceipt } from './ready.ts';

/**
 * Notices a disk that no longer answers. A leader whose write hangs would keep its followers quiet
 * with heartbeats and commit nothing for ever (hashicorp/raft #503).
 */
export class StorageWatch {
  readonly #ticksMax: number;
  #outstanding: StorageReceipt[] = [];
  #ticks = 0;

  constructor(ticksMax: number) {
    this.#ticksMax = ticksMax;
  }

  handedOut(receipt: StorageReceipt): void {
    this.#outstanding.push(receipt);
  }

  /** Writes end in the order in which they were handed out: earlier ones are done as well. */
  done(receipt: StorageReceipt): void {
    const at = this.#outstanding.findIndex(
      (other) =>
        other.term === receipt.term &&
        other.lastIndex === receipt.lastIndex &&
        other.lastTerm === receipt.lastTerm &&
        other.snapshotIndex === receipt.snapshotIndex,
    );
    this.#outstanding.splice(0, at + 1);
    this.#ticks = 0;
  }

  tick(): void {
    this.#ticks = this.#outstanding.length > 0 ? this.#ticks + 1 : 0;
  }

  get stalled(): boolean {
    return this.#ticks >= this.#ticksMax;
  }
}
