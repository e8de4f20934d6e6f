import { compareBytes, hex } from '../../../src/lib/index.ts';
import type {
  RangeOptions,
  Revision,
  StoredEntry,
  Transaction,
  TransactionResult,
  View,
} from '../../../src/store/index.ts';

interface Row extends StoredEntry {
  readonly expiresAtMs: number | undefined;
}

/** The store's contract on a sorted array: enough to run transactions against. */
export class MemoryStore {
  rows: readonly Row[] = [];
  revision = 0 as Revision;
  /** What views were asked for, to see that cost stays flat. */
  readonly asked = { keys: 0, ranges: 0, entries: 0 };
  openViews = 0;

  view(): View {
    const { rows, revision, asked } = this;
    this.openViews += 1;
    let isOpen = true;
    return {
      revision,
      get: (key) => {
        asked.keys += 1;
        return rows.find((row) => compareBytes(row.key, key) === 0);
      },
      range: async ({ start, end, limit }: RangeOptions) => {
        asked.ranges += 1;
        const found = rows
          .filter((row) => compareBytes(start, row.key) <= 0 && compareBytes(row.key, end) < 0)
          .slice(0, limit);
        asked.entries += found.length;
        return found;
      },
      [Symbol.dispose]: () => {
        if (isOpen) this.openViews -= 1;
        isOpen = false;
      },
    };
  }

  apply(transaction: Transaction): TransactionResult {
    for (const { key, revision } of transaction.reads) {
      if ((this.#row(key)?.revision ?? 0) !== revision) return { kind: 'conflict', key };
    }
    for (const { start, end, revision } of transaction.rangeReads ?? []) {
      const changed = this.#changes.find(
        (change) =>
          change.revision > revision &&
          compareBytes(change.start, end) < 0 &&
          compareBytes(start, change.end) < 0,
      );
      if (changed !== undefined) return { kind: 'conflict', key: changed.start };
    }
    this.revision = (this.revision + 1) as Revision;
    for (const write of transaction.writes) this.#write(write);
    return { kind: 'committed', revision: this.revision, replayed: false, receipt: undefined };
  }

  text(): string {
    return this.rows.map((row) => `${hex(row.key)}=${hex(row.value)}`).join('\n');
  }

  readonly #changes: { revision: number; start: Uint8Array; end: Uint8Array }[] = [];

  #row(key: Uint8Array): Row | undefined {
    return this.rows.find((row) => compareBytes(row.key, key) === 0);
  }

  #write(write: Transaction['writes'][number]): void {
    const { revision } = this;
    if (write.kind === 'delete-range') {
      this.#changes.push({ revision, start: write.start, end: write.end });
      this.rows = this.rows.filter(
        (row) => compareBytes(row.key, write.start) < 0 || compareBytes(row.key, write.end) >= 0,
      );
      return;
    }
    const { key } = write;
    const old = this.#row(key);
    const others = this.rows.filter((row) => row !== old);
    if (write.kind === 'rewrap') {
      if (old === undefined) return;
      this.rows = sorted([...others, { ...old, value: write.value }]);
      return;
    }
    this.#changes.push({ revision, start: key, end: new Uint8Array([...key, 0]) });
    if (write.kind === 'delete') this.rows = others;
    else {
      const row = { key, value: write.value, revision, expiresAtMs: write.expiresAtMs };
      this.rows = sorted([...others, row]);
    }
  }
}

const sorted = (rows: readonly Row[]) => [...rows].sort((a, b) => compareBytes(a.key, b.key));
