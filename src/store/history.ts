import { decodeHistory, encodeHistory, type HistoryRecord } from './codec/history-block.ts';
import type { KeyRange } from './codec/records.ts';
import { keyText } from './disk/layer.ts';
import type { PhysicalView } from './disk/physical-view.ts';
import { places, wholePlace } from './disk/places.ts';
import { HistoryBlocks, openBlock } from './history-blocks.ts';
import type { HistoryLimits } from './limits.ts';

interface Past {
  readonly revision: number;
  /** See `HistoryBlocks`. */
  readonly block: number;
  readonly requestId: string | undefined;
  /** Undefined once range reads this old conflict anyway. */
  change: Uint8Array | undefined;
  /** Of the names of keys and ranges in it. */
  readonly changeBytes: number;
}

/** A block of memory that changes share: they go in the order in which they came. */
const BLOCK_BYTES = 64 * 1024;

/** Dropped entries at the front of the list are cut off when there are so many. */
const SLACK = 4096;

/**
 * The recent transactions: which request ids were applied, and which keys changed when. What it
 * remembers follows from the entries alone, so it decides alike on every node.
 */
export class History {
  readonly #limits: HistoryLimits;
  readonly #blocks = new HistoryBlocks();
  readonly #byRequest = new Map<string, Past>();
  #past: Past[] = [];
  /** The first of `#past` that counts, and the first that still has its change. */
  #first = 0;
  #firstChange = 0;
  #changeBytes = 0;
  #changeFloor = 0;
  #block = new Uint8Array(0);
  #blockUsed = 0;

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
  }

  /** Reads back what the last process had at entry `index`. */
  static async load(
    limits: HistoryLimits,
    view: PhysicalView,
    { index, changeFloor }: { readonly index: number; readonly changeFloor: number },
  ): Promise<History> {
    const history = new History(limits);
    history.#changeFloor = changeFloor;
    const oldest = index - limits.requestRevisions;
    for await (const page of view.pages({ ...wholePlace(places.history), pageSize: 100 })) {
      for (const { key, bytes } of page) history.#takeBack(openBlock(key, bytes), oldest);
    }
    return history;
  }

  /** Of a block whose first entries are forgotten already only the others count. */
  #takeBack(entries: ReturnType<typeof openBlock>, oldest: number): void {
    const block = entries[0]?.revision ?? 0;
    const copies = entries.map(({ revision, encoded }) => ({
      revision,
      encoded: this.#copy(encoded),
    }));
    this.#blocks.resume(copies);
    for (const [at, { revision, record }] of entries.entries()) {
      const { encoded = new Uint8Array() } = copies[at] ?? {};
      if (revision > oldest) this.#note(block, revision, record, encoded);
    }
  }

  /** Range reads at revisions below this one conflict. */
  get changeFloor(): number {
    return this.#changeFloor;
  }

  /** The revision of an earlier transaction with this id. */
  revisionOf(requestId: Uint8Array): number | undefined {
    return this.#byRequest.get(keyText(requestId))?.revision;
  }

  /** The receipt of the transaction with this id; `read` looks into the tables. */
  receiptOf(
    requestId: Uint8Array,
    read: (place: Buffer) => Uint8Array | undefined,
  ): Uint8Array | undefined {
    const past = this.#byRequest.get(keyText(requestId));
    const encoded = past && this.#blocks.find(past.block, past.revision, read);
    return encoded && decodeHistory(encoded).receipt?.slice();
  }

  /** A key in `range` that changed after `revision`, or the range's start when that is too long ago. */
  changedSince(range: KeyRange, revision: number): Uint8Array | undefined {
    if (revision < this.#changeFloor) return range.start;
    for (let at = this.#past.length - 1; at >= this.#firstChange; at--) {
      const past = this.#past[at];
      if (past === undefined || past.revision <= revision) return undefined;
      const key = past.change && touched(decodeHistory(past.change), range);
      if (key !== undefined) return key;
    }
    return undefined;
  }

  /** A copy is kept, and read again only when a range read asks for what changed. */
  add(revision: number, record: HistoryRecord): void {
    const encoded = this.#copy(encodeHistory(record));
    this.#note(this.#blocks.add({ revision, encoded }), revision, record, encoded);
  }

  /** About what `settle` would return. */
  get unsettledBytes(): number {
    return this.#blocks.changedBytes;
  }

  /** Records for the tables: all that was added, and is not there yet. */
  settle(): ReturnType<HistoryBlocks['settle']> {
    return this.#blocks.settle();
  }

  #note(block: number, revision: number, record: HistoryRecord, encoded: Uint8Array): void {
    const requestId = record.requestId.length > 0 ? keyText(record.requestId) : undefined;
    const isOld = revision <= this.#changeFloor;
    let changeBytes = 0;
    if (!isOld) {
      for (const key of record.keys) changeBytes += key.length;
      for (const range of record.ranges) changeBytes += range.start.length + range.end.length;
    }
    const change = isOld ? undefined : encoded;
    const past = { revision, block, requestId, change, changeBytes };
    if (requestId !== undefined) this.#byRequest.set(requestId, past);
    if (isOld) this.#firstChange = this.#past.length + 1;
    this.#changeBytes += changeBytes;
    this.#past.push(past);
  }

  /** What was encoded stands among things that soon go, and would keep the memory of them all. */
  #copy(encoded: Uint8Array): Uint8Array {
    if (encoded.length > BLOCK_BYTES / 8) return new Uint8Array(encoded);
    if (this.#blockUsed + encoded.length > this.#block.length) {
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#blockUsed = 0;
    }
    const start = this.#blockUsed;
    this.#blockUsed += encoded.length;
    this.#block.set(encoded, start);
    return this.#block.subarray(start, this.#blockUsed);
  }

  /** Forgets what is too old at entry `index`. @returns keys of records to delete */
  forget(index: number): readonly Buffer[] {
    this.#forgetChanges(index);
    const dropped: Buffer[] = [];
    for (; this.#first < this.#past.length; this.#first++) {
      const past = this.#past[this.#first];
      if (past === undefined || past.revision > index - this.#limits.requestRevisions) break;
      const isLast = this.#past[this.#first + 1]?.block !== past.block;
      if (isLast) dropped.push(this.#blocks.drop(past.block));
      if (past.requestId !== undefined) this.#byRequest.delete(past.requestId);
    }
    if (this.#first > SLACK) {
      this.#past = this.#past.slice(this.#first);
      this.#firstChange -= this.#first;
      this.#first = 0;
    }
    return dropped;
  }

  #forgetChanges(index: number): void {
    const oldest = index - this.#limits.changeRevisions;
    for (; this.#firstChange < this.#past.length; this.#firstChange++) {
      const past = this.#past[this.#firstChange];
      if (past === undefined) break;
      const tooMany = this.#changeBytes > this.#limits.changeBytes;
      if (past.revision > oldest && !tooMany) break;
      this.#changeBytes -= past.changeBytes;
      past.change = undefined;
      this.#changeFloor = Math.max(this.#changeFloor, past.revision);
    }
    this.#changeFloor = Math.max(this.#changeFloor, oldest, 0);
  }
}

/** The bytes of `KeyRange` order: start inclusive, end exclusive. */
export function inRange(key: Uint8Array, range: KeyRange): boolean {
  return Buffer.compare(key, range.start) >= 0 && Buffer.compare(key, range.end) < 0;
}

function touched(change: HistoryRecord, range: KeyRange): Uint8Array | undefined {
  const key = change.keys.find((candidate) => inRange(candidate, range));
  if (key !== undefined) return key;
  const other = change.ranges.find(
    ({ start, end }) =>
      Buffer.compare(start, range.end) < 0 &&
      Buffer.compare(range.start, end) < 0 &&
      Buffer.compare(start, end) < 0,
  );
  return other?.start;
}
