/** A processor that is kept busy brings more with each turn of the loop, so they are counted. */
const TURNS_MAX = 4;
/** A disk that takes longer is no reason to wait: the others may make a majority without it. */
const WRITE_MS_MAX = 20;

export interface Gathered {
  /** What waits to go into the log. */
  readonly count: number;
  readonly bytes: number;
}

/**
 * Says when proposals go into the log. A batch costs its leader and its followers about the same
 * whatever is in it: messages, wake-ups, a write and a sync. So it stays open
 *
 * - while the write before it is under way, within reason: this node would write nothing sooner, and
 * - for some turns of the loop that each brought more, as they do when the processor is the limit.
 *
 * A lone proposal meets neither, and waits for one turn that brings nothing.
 */
export class Gathering {
  readonly #bytesMax: number;
  #turns = 0;
  #countBefore = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Asked once a turn. `'turn'`: ask again in the next one; `'write'`: when the write is done, or at
   * the next tick.
   *
   * @param writingForMs undefined when no entries are being written
   */
  waitsFor(
    { count, bytes }: Gathered,
    writingForMs: number | undefined,
  ): 'write' | 'turn' | undefined {
    const hasMore = count > this.#countBefore && bytes < this.#bytesMax;
    const isWriting = writingForMs !== undefined && writingForMs < WRITE_MS_MAX;
    if (count > 0 && isWriting && bytes < this.#bytesMax) return 'write';
    if (hasMore && this.#turns < TURNS_MAX) {
      this.#turns += 1;
      this.#countBefore = count;
      return 'turn';
    }
    this.#turns = 0;
    this.#countBefore = 0;
    return undefined;
  }
}
