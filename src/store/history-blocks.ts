import {
  BLOCK_REVISIONS,
  type HistoryEntry,
  openHistoryBlock,
  sealHistoryBlock,
} from './codec/history-block.ts';
import { historyKey, numberIn } from './disk/places.ts';

/** A block that has so much takes nothing more. */
const BLOCK_BYTES = 64 * 1024;

interface Block {
  /** The revision of its first entry names it. */
  readonly first: number;
  readonly entries: HistoryEntry[];
  bytes: number;
}

/**
 * The records of transactions on their way to the disk: many to a block, and a block to a record of
 * the database. A record of its own for each transaction, written and later removed, would cost as
 * much as what the transaction itself writes. Which revisions share a block follows from the entries
 * alone, so it is the same on every node and after every restart.
 */
export class HistoryBlocks {
  #open: Block | undefined;
  /** What the tables do not have yet. */
  readonly #changed = new Map<number, Block>();
  #changedBytes = 0;

  /** About what `settle` would return. */
  get changedBytes(): number {
    return this.#changedBytes;
  }

  /** @returns the name of its block */
  add(entry: HistoryEntry): number {
    let block = this.#open;
    if (block === undefined || !takes(block, entry.revision)) {
      block = { first: entry.revision, entries: [], bytes: 0 };
      this.#open = block;
    }
    const bytes = entry.encoded.length;
    this.#changedBytes += this.#changed.has(block.first) ? bytes : block.bytes + bytes;
    block.entries.push(entry);
    block.bytes += bytes;
    this.#changed.set(block.first, block);
    return block.first;
  }

  /** The last block that was read from the disk takes what comes next, if it has room. */
  resume(entries: readonly HistoryEntry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    const bytes = entries.reduce((sum, { encoded }) => sum + encoded.length, 0);
    this.#open = { first: first.revision, entries: [...entries], bytes };
  }

  /** @returns where the block stood */
  drop(first: number): Buffer {
    if (this.#open?.first === first) this.#open = undefined;
    this.#changed.delete(first);
    return historyKey(first);
  }

  /** What was encoded at `revision` in a block, `read` from the disk when it is not here. */
  find(
    block: number,
    revision: number,
    read: (place: Buffer) => Uint8Array | undefined,
  ): Uint8Array | undefined {
    const place = historyKey(block);
    const bytes = this.#changed.has(block) ? undefined : read(place);
    const entries =
      this.#changed.get(block)?.entries ?? (bytes === undefined ? [] : openBlock(place, bytes));
    return entries.find((entry) => entry.revision === revision)?.encoded;
  }

  /** The blocks that changed since the last time, as records. */
  settle(): readonly { readonly place: Buffer; readonly bytes: Uint8Array }[] {
    const settled = [...this.#changed.values()].map(({ first, entries }) => {
      const place = historyKey(first);
      return { place, bytes: sealHistoryBlock(place, entries) };
    });
    this.#changed.clear();
    this.#changedBytes = 0;
    return settled;
  }
}

/** @throws StrongroomError `store.corrupt` */
export function openBlock(place: Uint8Array, bytes: Uint8Array) {
  return openHistoryBlock(place, numberIn(place), bytes);
}

function takes(block: Block, revision: number): boolean {
  const isNear =
    Math.floor(block.first / BLOCK_REVISIONS) === Math.floor(revision / BLOCK_REVISIONS);
  return isNear && block.bytes < BLOCK_BYTES;
}
