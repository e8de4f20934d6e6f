import type { LogIndex } from './message.ts';

/**
 * Payload bytes that this leader appended and has not committed. Exact, so that it returns to zero
 * when all is committed and never refuses proposals for good (etcd raft a370b6f).
 */
export class UncommittedBytes {
  readonly #bytesMax: number;
  #batches: { readonly last: LogIndex; readonly bytes: number }[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** With nothing outstanding even a batch over the limit passes: else it never could. */
  hasRoomFor(bytes: number): boolean {
    return this.#bytes === 0 || bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }

  add(last: LogIndex, bytes: number): void {
    if (bytes === 0) return;
    this.#batches.push({ last, bytes });
    this.#bytes += bytes;
  }

  committed(index: LogIndex): void {
    let done = 0;
    for (const batch of this.#batches) {
      if (batch.last > index) break;
      done += 1;
      this.#bytes -= batch.bytes;
    }
    if (done > 0) this.#batches.splice(0, done);
  }

  clear(): void {
    this.#batches = [];
    this.#bytes = 0;
  }
}
