import type { Clock, Timer } from '../../src/lib/index.ts';

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Events of one seed: no run needs more, so more means that something goes round for ever. */
const EVENTS_MAX = 2_000_000;

/**
 * Simulated time: events in the order of their time, and of their making when that is equal. Between
 * two events all promises that can go on do so, so a run depends on its seed alone.
 */
export class Scheduler {
  /** A binary heap, smallest first. */
  readonly #heap: Event[] = [];
  #nowMs = 0;
  #made = 0;
  #run = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  get eventsRun(): number {
    return this.#run;
  }

  after(delayMs: number, run: () => void): void {
    this.#made += 1;
    this.#push({ atMs: this.#nowMs + Math.max(0, delayMs), order: this.#made, run });
  }

  /** Runs events until `untilMs`, or until `isDone` says so. */
  async runUntil(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (isDone()) return;
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#pop();
      this.#nowMs = next.atMs;
      this.#run += 1;
      if (this.#run > EVENTS_MAX) throw new Error(`More than ${EVENTS_MAX} events in one run`);
      next.run();
    }
    this.#nowMs = untilMs;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let below = heap[child];
      if (below === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, below)) {
        child += 1;
        below = right;
      }
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/**
 * What one process sees of time: it may run fast or slow, stand still for a while, and ends with
 * the process.
 */
export class ProcessTime {
  readonly clock: Clock;
  readonly #scheduler: Scheduler;
  #rate: number;
  /** What the clock showed, and when, at its last change of rate. */
  #shownMs = 0;
  #sinceMs = 0;
  #wallOffsetMs = 0;
  #pausedUntilMs = 0;
  /** What waits while the process stands still for as long as somebody likes. */
  #held: (() => void)[] | undefined;
  #isAlive = true;

  constructor(scheduler: Scheduler, rate: number) {
    this.#scheduler = scheduler;
    this.#rate = rate;
    this.clock = {
      monotonicMs: () => this.#monotonicMs(),
      wallMs: () => 1.7e12 + this.#wallOffsetMs + this.#monotonicMs(),
      after: (delayMs, callback) => this.#timer(delayMs / this.#rate, callback),
    };
  }

  /** From now on; timers that run already keep their time. */
  runAt(rate: number, wallOffsetMs: number): void {
    this.#shownMs = this.#monotonicMs();
    this.#sinceMs = this.#scheduler.nowMs;
    this.#rate = rate;
    this.#wallOffsetMs = wallOffsetMs;
  }

  #monotonicMs(): number {
    return this.#shownMs + (this.#scheduler.nowMs - this.#sinceMs) * this.#rate;
  }

  get rate(): number {
    return this.#rate;
  }

  soon = (callback: () => void): void => this.after(0, callback);

  /** Runs `callback` unless the process is dead by then; later when it stands still. */
  after(delayMs: number, callback: () => void): void {
    this.#scheduler.after(delayMs, () => {
      if (!this.#isAlive) return;
      if (this.#held !== undefined) {
        this.#held.push(callback);
        return;
      }
      const waitMs = this.#pausedUntilMs - this.#scheduler.nowMs;
      if (waitMs > 0) this.after(waitMs, callback);
      else callback();
    });
  }

  /** As a long garbage collection, or SIGSTOP. */
  pause(forMs: number): void {
    this.#pausedUntilMs = this.#scheduler.nowMs + forMs;
  }

  /** As SIGSTOP, until `thaw`. */
  freeze(): void {
    this.#held ??= [];
  }

  /** What would have been done meanwhile is done now, in its order. */
  thaw(): void {
    const held = this.#held;
    this.#held = undefined;
    for (const callback of held ?? []) this.after(0, callback);
  }

  get isFrozen(): boolean {
    return this.#held !== undefined;
  }

  end(): void {
    this.#isAlive = false;
  }

  #timer(delayMs: number, callback: () => void): Timer {
    let isCancelled = false;
    this.after(delayMs, () => {
      if (!isCancelled) callback();
    });
    return {
      cancel: () => {
        isCancelled = true;
      },
    };
  }
}
