import { invariant } from '../../lib/index.ts';
import { type Entry, type LogIndex, type Membership, membershipAfter } from '../core/index.ts';
import type { StateMachine } from './state-machine.ts';

/** Entries and bytes that are applied in one turn of the loop, so that a heartbeat gets its turn. */
const SLICE_ENTRIES_MAX = 512;
const SLICE_BYTES_MAX = 1024 * 1024;

/** Feeds committed entries to the state machine, in order and in slices. */
export class Applier {
  readonly #stateMachine: StateMachine;
  readonly #onApplied: (entry: Entry, result: unknown) => void;
  #queue: (readonly Entry[])[] = [];
  #applied: LogIndex;
  #membership: Membership;
  #paused = false;
  /** The state machine has more than enough to write to its disk. */
  #waitsForRoom = false;
  readonly #onRoom: () => void;

  constructor(
    stateMachine: StateMachine,
    start: { readonly applied: LogIndex; readonly membership: Membership },
    onApplied: (entry: Entry, result: unknown) => void,
    onRoom: () => void = () => undefined,
  ) {
    this.#stateMachine = stateMachine;
    this.#applied = start.applied;
    this.#membership = start.membership;
    this.#onApplied = onApplied;
    this.#onRoom = onRoom;
  }

  get applied(): LogIndex {
    return this.#applied;
  }

  get membership(): Membership {
    return this.#membership;
  }

  enqueue(entries: readonly Entry[]): void {
    if (entries.length > 0) this.#queue.push(entries);
  }

  get hasWork(): boolean {
    return !this.#paused && !this.#waitsForRoom && this.#queue.length > 0;
  }

  /** While the state is being replaced by a snapshot nothing is applied. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    const { index, membership } = this.#stateMachine.applied();
    if (index > this.#applied) {
      this.#applied = index;
      this.#membership = membership;
    }
    this.#paused = false;
  }

  /** Applies one slice. @returns what was applied: the core is told the last index. */
  run(): readonly Entry[] {
    const slice = this.#takeSlice();
    // A snapshot that was installed meanwhile may hold the first of them already.
    const fresh = slice.filter((entry) => entry.index > this.#applied);
    const first = fresh[0];
    const last = fresh.at(-1);
    if (first === undefined || last === undefined) return slice;
    invariant(first.index === this.#applied + 1, 'A gap before an entry to apply', {
      index: first.index,
      applied: this.#applied,
    });
    const after = membershipAfter(this.#membership, fresh);
    const results = this.#stateMachine.apply(fresh, after);
    invariant(results.length === fresh.length, 'The state machine gave no result for an entry', {
      entries: fresh.length,
      results: results.length,
    });
    this.#applied = last.index;
    this.#membership = after;
    fresh.forEach((entry, at) => this.#onApplied(entry, results[at]));
    this.#waitForRoom();
    return slice;
  }

  /** What the state machine has not yet written stays bounded: nothing more is applied until then. */
  #waitForRoom(): void {
    const room = this.#stateMachine.room?.();
    if (room === undefined) return;
    this.#waitsForRoom = true;
    const proceed = (): void => {
      this.#waitsForRoom = false;
      this.#onRoom();
    };
    // A failure shows at the next `apply`, which stops the node.
    room.then(proceed, proceed);
  }

  #takeSlice(): readonly Entry[] {
    if (this.#paused) return [];
    const head = this.#queue[0];
    if (head === undefined) return [];
    let bytes = 0;
    let count = 0;
    for (const entry of head) {
      bytes += entry.data.length;
      if (count > 0 && (bytes > SLICE_BYTES_MAX || count >= SLICE_ENTRIES_MAX)) break;
      count += 1;
    }
    if (count === head.length) {
      this.#queue.shift();
      return head;
    }
    this.#queue[0] = head.slice(count);
    return head.slice(0, count);
  }
}
