import {
  type Cancellation,
  type Clock,
  type Deferred,
  deferred,
  StrongroomError,
} from '../lib/index.ts';
import { EntryEvents } from './entry-events.ts';
import type { Revision } from './transaction.ts';
import type { WatchEvent } from './view.ts';

export interface WatchWindow {
  readonly revisions: number;
  readonly bytes: number;
  /** A watch that has nothing to tell says so this often. */
  readonly progressMs: number;
}

export const watchWindow: WatchWindow = {
  revisions: 20_000,
  bytes: 64 * 1024 * 1024,
  progressMs: 1000,
};

/** Revisions looked through between two turns of the event loop. */
const SCAN_SLICE = 1000;
/** A yielded batch is closed after the revision that brings it to this many events. */
const BATCH_EVENTS = 256;

/** What an event takes beside its key and value, roughly. */
const EVENT_BYTES = 64;

interface Moment {
  readonly revision: number;
  /** Undefined while a range delete still lists what it deleted. */
  events: readonly WatchEvent[] | EntryEvents | undefined;
  bytes: number;
}

/**
 * The recent changes, for watchers. They read it at their own pace and hold nothing of their own:
 * one that falls out of the window is told so.
 */
export class WatchHub {
  readonly #window: WatchWindow;
  readonly #clock: Clock;
  #moments: Moment[] = [];
  #first = 0;
  #bytes = 0;
  /** Changes at or before this revision are gone. */
  #floor: number;
  #revision: number;
  #changed: Deferred<void> = deferred();

  constructor(window: WatchWindow, clock: Clock, revision: number) {
    this.#window = window;
    this.#clock = clock;
    this.#floor = revision;
    this.#revision = revision;
  }

  /**
   * Adds the changes of one revision; `events` is undefined when they will be told by `fill`.
   *
   * @param entryBytes of the entry that they are made from, which is kept with them.
   */
  add(revision: number, events: EntryEvents | undefined, entryBytes: number): void {
    if (events?.count === 0) return;
    const bytes = events === undefined ? 0 : EVENT_BYTES * events.count + entryBytes;
    this.#moments.push({ revision, events, bytes });
    this.#bytes += bytes;
    this.#trim();
  }

  /** Puts `events` before those that were given with the revision. */
  fill(revision: number, events: readonly WatchEvent[]): void {
    const moment = this.#moments[this.#find(revision)];
    if (moment?.revision !== revision || moment.events !== undefined) return;
    moment.events = events;
    moment.bytes = sizeOf(events);
    this.#bytes += moment.bytes;
    this.#trim();
    this.#wake();
  }

  /** Forgets the changes up to `revision`: whoever has not seen them must list again. */
  forget(revision: number): void {
    while (this.#first < this.#moments.length) {
      const moment = this.#moments[this.#first];
      if (moment === undefined || moment.revision > revision) break;
      this.#drop(moment);
    }
    this.#floor = Math.max(this.#floor, revision);
    this.#wake();
  }

  /** Everything up to `revision` was added: tells the watchers. */
  advance(revision: number): void {
    this.#revision = revision;
    this.#wake();
  }

  /** Forgets all: whoever is behind `revision` must list again. */
  reset(revision: number): void {
    this.#moments = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#floor = revision;
    this.advance(revision);
  }

  /** @throws StrongroomError `store.compacted`, at the start or when the reader is too slow. */
  async *watch(
    prefix: Uint8Array,
    from: Revision,
    signal: Cancellation,
  ): AsyncGenerator<readonly WatchEvent[]> {
    // The last revision of which everything was told.
    let told = from - 1;
    let saidAtMs = Number.NEGATIVE_INFINITY;
    let said = -1;
    while (!signal.aborted) {
      const changed = this.#changed.promise;
      const { events, upTo } = this.#read(prefix, told);
      told = Math.max(told, upTo);
      if (events.length > 0) {
        yield events;
        saidAtMs = this.#clock.monotonicMs();
        said = events.at(-1)?.revision ?? told;
        continue;
      }
      if (!this.#caughtUp(told)) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      const nowMs = this.#clock.monotonicMs();
      const restMs = saidAtMs + this.#window.progressMs - nowMs;
      if (told > said && told >= from && restMs <= 0) {
        saidAtMs = nowMs;
        said = told;
        yield [{ kind: 'progress', revision: told as Revision }];
        continue;
      }
      await this.#wait(changed, told > said && told >= from ? restMs : undefined, signal);
    }
  }

  /** The matching events after `told`: whole revisions only. */
  #read(prefix: Uint8Array, told: number): { events: readonly WatchEvent[]; upTo: number } {
    if (told < this.#floor) {
      throw new StrongroomError(
        'store.compacted',
        `Cannot watch from revision ${told + 1}: changes up to ${this.#floor} are no longer kept. List again and watch from there`,
        { details: { floor: this.#floor } },
      );
    }
    const events: WatchEvent[] = [];
    const start = this.#find(told + 1);
    for (let at = start; at < this.#moments.length; at++) {
      const moment = this.#moments[at];
      if (moment?.events === undefined) return { events, upTo: (moment?.revision ?? 1) - 1 };
      if (moment.revision > this.#revision) break;
      for (const event of toldIn(moment)) if (matches(event, prefix)) events.push(event);
      if (events.length >= BATCH_EVENTS || at - start >= SCAN_SLICE) {
        return { events, upTo: moment.revision };
      }
    }
    return { events, upTo: this.#revision };
  }

  /** Nothing more can be read just now: all is told, or a range delete is still being listed. */
  #caughtUp(told: number): boolean {
    if (told >= this.#revision) return true;
    const next = this.#moments[this.#find(told + 1)];
    return next !== undefined && next.events === undefined;
  }

  async #wait(
    changed: Promise<void>,
    timeoutMs: number | undefined,
    signal: Cancellation,
  ): Promise<void> {
    const woken = deferred<void>();
    const wake = (): void => woken.resolve();
    const timer = timeoutMs === undefined ? undefined : this.#clock.after(timeoutMs, wake);
    signal.addEventListener('abort', wake, { once: true });
    void changed.then(wake);
    await woken.promise;
    timer?.cancel();
    signal.removeEventListener('abort', wake);
  }

  #wake(): void {
    const { resolve } = this.#changed;
    this.#changed = deferred();
    resolve();
  }

  /** Index of the first moment at or after `revision`. */
  #find(revision: number): number {
    let low = this.#first;
    let high = this.#moments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#moments[middle]?.revision ?? 0) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #trim(): void {
    while (this.#moments.length - this.#first > 0) {
      const moment = this.#moments[this.#first];
      if (moment === undefined) break;
      const few = this.#moments.length - this.#first <= this.#window.revisions;
      if (few && this.#bytes <= this.#window.bytes) break;
      this.#drop(moment);
    }
    if (this.#first > this.#window.revisions) {
      this.#moments = this.#moments.slice(this.#first);
      this.#first = 0;
    }
  }

  #drop(moment: Moment): void {
    this.#floor = moment.revision;
    this.#bytes -= moment.bytes;
    this.#first++;
  }
}

/** Made once for all watchers, when the first comes by. */
function toldIn(moment: Moment): readonly WatchEvent[] {
  if (moment.events instanceof EntryEvents) moment.events = moment.events.recall();
  return moment.events ?? [];
}

function matches(event: WatchEvent, prefix: Uint8Array): boolean {
  if (event.kind === 'progress') return false;
  const { key } = event;
  return (
    key.length >= prefix.length && Buffer.compare(key.subarray(0, prefix.length), prefix) === 0
  );
}

function sizeOf(events: readonly WatchEvent[]): number {
  let bytes = 0;
  for (const event of events) {
    bytes += EVENT_BYTES;
    if (event.kind !== 'progress') bytes += event.key.length;
    if (event.kind === 'put') bytes += event.value.length;
  }
  return bytes;
}
