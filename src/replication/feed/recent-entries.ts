import { type Cancellation, type Deferred, deferred, StrongroomError } from '../../lib/index.ts';
import type { Entry, LogIndex } from '../../raft/index.ts';
import { raceAbort } from '../shared-round.ts';
import type { EntrySource } from './entry-source.ts';

const BYTES_MAX = 32 * 1024 * 1024;
const ENTRY_OVERHEAD_BYTES = 100;
const BATCH_ENTRIES = 512;
const SLACK = 4096;

/** The last entries that a replica was fed, for replicas that are fed by it. */
export class RecentEntries implements EntrySource {
  #entries: Entry[] = [];
  #first = 0;
  #bytes = 0;
  /** The index of the first entry that is still here, or of the next to come. */
  #firstIndex: number;
  #changed: Deferred<void> = deferred();

  constructor(applied: number) {
    this.#firstIndex = applied + 1;
  }

  get commitIndex(): number {
    return this.#firstIndex + this.#count - 1;
  }

  push(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += entry.data.length + ENTRY_OVERHEAD_BYTES;
    }
    while (this.#bytes > BYTES_MAX && this.#count > 0) {
      const dropped = this.#entries[this.#first];
      this.#bytes -= (dropped?.data.length ?? 0) + ENTRY_OVERHEAD_BYTES;
      this.#first++;
      this.#firstIndex++;
    }
    if (this.#first > SLACK) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
    this.#wake();
  }

  /** A snapshot was installed: what is here does not join on to it. */
  reset(applied: number): void {
    this.#entries = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#firstIndex = applied + 1;
    this.#wake();
  }

  async *committedEntries(from: LogIndex, signal: Cancellation): AsyncGenerator<readonly Entry[]> {
    let next: number = from;
    while (!signal.aborted) {
      const changed = this.#changed.promise;
      if (next < this.#firstIndex) {
        throw new StrongroomError(
          'store.compacted',
          `Cannot feed from entry ${next}: this replica keeps entries from ${this.#firstIndex} on`,
        );
      }
      const at = this.#first + (next - this.#firstIndex);
      const batch = this.#entries.slice(at, at + BATCH_ENTRIES);
      if (batch.length > 0) {
        next += batch.length;
        yield batch;
      } else {
        await raceAbort(changed, signal).catch((error: unknown) => {
          if (!signal.aborted) throw error;
        });
      }
    }
  }

  get #count(): number {
    return this.#entries.length - this.#first;
  }

  #wake(): void {
    const { resolve } = this.#changed;
    this.#changed = deferred();
    resolve();
  }
}
