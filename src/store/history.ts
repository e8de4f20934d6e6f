import { decodeHistory, type HistoryRecord, type KeyRange } from './codec/records.ts';
import { keyText } from './disk/layer.ts';
import type { PhysicalView } from './disk/physical-view.ts';
import { historyKey, numberIn, places, wholePlace } from './disk/places.ts';
import type { HistoryLimits } from './limits.ts';

interface Change {
  readonly keys: readonly Uint8Array[];
  readonly ranges: readonly KeyRange[];
  readonly bytes: number;
}

interface Past {
  readonly revision: number;
  readonly requestId: string | undefined;
  /** Undefined once range reads this old conflict anyway. */
  change: Change | undefined;
}

/** Dropped entries at the front of the list are cut off when there are so many. */
const SLACK = 4096;

/**
 * The recent transactions: which request ids were applied, and which keys changed when. What it
 * remembers follows from the entries alone, so it decides alike on every node.
 */
export class History {
  readonly #limits: HistoryLimits;
  readonly #byRequest = new Map<string, number>();
  #past: Past[] = [];
  /** The first of `#past` that counts, and the first that still has its change. */
  #first = 0;
  #firstChange = 0;
  #changeBytes = 0;
  #changeFloor = 0;

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
  }

  /** Reads back what the last process had. */
  static async load(
    limits: HistoryLimits,
    view: PhysicalView,
    changeFloor: number,
  ): Promise<History> {
    const history = new History(limits);
    history.#changeFloor = changeFloor;
    for await (const page of view.pages({ ...wholePlace(places.history), pageSize: 1000 })) {
      for (const { key, bytes } of page) history.#add(numberIn(key), decodeHistory(key, bytes));
    }
    return history;
  }

  /** Range reads at revisions below this one conflict. */
  get changeFloor(): number {
    return this.#changeFloor;
  }

  /** The revision of an earlier transaction with this id. */
  revisionOf(requestId: Uint8Array): number | undefined {
    return this.#byRequest.get(keyText(requestId));
  }

  /** A key in `range` that changed after `revision`, or the range's start when that is too long ago. */
  changedSince(range: KeyRange, revision: number): Uint8Array | undefined {
    if (revision < this.#changeFloor) return range.start;
    for (let at = this.#past.length - 1; at >= this.#firstChange; at--) {
      const past = this.#past[at];
      if (past === undefined || past.revision <= revision) return undefined;
      const key = past.change && touched(past.change, range);
      if (key !== undefined) return key;
    }
    return undefined;
  }

  add(revision: number, record: HistoryRecord): void {
    this.#add(revision, record);
  }

  /** Forgets what is too old at entry `index`. @returns keys of records to delete */
  forget(index: number): readonly Buffer[] {
    this.#forgetChanges(index);
    const dropped: Buffer[] = [];
    for (; this.#first < this.#past.length; this.#first++) {
      const past = this.#past[this.#first];
      if (past === undefined || past.revision > index - this.#limits.requestRevisions) break;
      dropped.push(historyKey(past.revision));
      if (past.requestId !== undefined) this.#byRequest.delete(past.requestId);
    }
    if (this.#first > SLACK) {
      this.#past = this.#past.slice(this.#first);
      this.#firstChange -= this.#first;
      this.#first = 0;
    }
    return dropped;
  }

  #add(revision: number, record: HistoryRecord): void {
    const requestId = record.requestId.length > 0 ? keyText(record.requestId) : undefined;
    if (requestId !== undefined) this.#byRequest.set(requestId, revision);
    let change: Change | undefined;
    if (revision > this.#changeFloor) {
      // Copies: the record may be a view into a whole log entry or page.
      const keys = record.keys.map((key) => key.slice());
      const ranges = record.ranges.map(({ start, end }) => ({
        start: start.slice(),
        end: end.slice(),
      }));
      let bytes = 0;
      for (const key of keys) bytes += key.length;
      for (const range of ranges) bytes += range.start.length + range.end.length;
      change = { keys, ranges, bytes };
      this.#changeBytes += bytes;
    } else {
      this.#firstChange = this.#past.length + 1;
    }
    this.#past.push({ revision, requestId, change });
  }

  #forgetChanges(index: number): void {
    const oldest = index - this.#limits.changeRevisions;
    for (; this.#firstChange < this.#past.length; this.#firstChange++) {
      const past = this.#past[this.#firstChange];
      if (past === undefined) break;
      const tooMany = this.#changeBytes > this.#limits.changeBytes;
      if (past.revision > oldest && !tooMany) break;
      this.#changeBytes -= past.change?.bytes ?? 0;
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

function touched(change: Change, range: KeyRange): Uint8Array | undefined {
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
