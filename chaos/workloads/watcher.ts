import type { WatchBatch } from '../../src/client/index.ts';
import { hasCode, type Timer } from '../../src/lib/index.ts';
import type { WatchInput, WatchOutput } from '../checkers/watch-complete.ts';
import { sleep } from '../grounds/sleep.ts';
import type { Actor } from './actor.ts';
import type { Work } from './workload.ts';

/** A node with nothing to tell says so every second: who is silent for longer is given up. */
const SILENCE_MS = 5_000;
const BETWEEN_TRIES_MS = 200;

type Wanted = Work<{ readonly breaks: number; readonly timeout: number }>;

/** One watcher: begins at a listing, breaks off now and then, and resumes where it was told to. */
export class Watcher {
  readonly #work: Wanted;
  readonly #actor: Actor;
  /** Where it may go on; undefined before the first listing and after `compacted`. */
  #after: number | undefined;

  constructor(work: Wanted, actor: Actor) {
    this.#work = work;
    this.#actor = actor;
    this.#after = toldTo(work, actor.id);
  }

  /** The last revision of which everything was told. */
  get told(): number {
    return this.#after ?? 0;
  }

  async watch(isOver: () => boolean): Promise<void> {
    const { clock } = this.#work.cluster;
    while (!isOver()) {
      this.#after ??= await this.#begin();
      if (this.#after !== undefined) await this.#watchOnce(this.#after, isOver);
      await sleep(clock, BETWEEN_TRIES_MS);
    }
  }

  /** The newest revision there is: 0 when nobody tells. */
  async newest(): Promise<number> {
    return (await this.#list({ kind: 'newest' })) ?? 0;
  }

  #begin(): Promise<number | undefined> {
    return this.#list({ kind: 'list' });
  }

  async #list(input: WatchInput): Promise<number | undefined> {
    const request = { mount: 'secret', path: this.#work.label, limit: 1 };
    const output = await this.#actor.act({
      effect: 'read',
      input,
      call: async (options): Promise<WatchOutput> => {
        const { revision } = await this.#actor.client.call('kv.list', request, options);
        return { kind: input.kind === 'newest' ? 'newest' : 'listed', revision };
      },
    });
    return output?.kind === 'listed' || output?.kind === 'newest' ? output.revision : undefined;
  }

  /** Until it breaks off, is refused, hears nothing, or is over. */
  async #watchOnce(from: number, isOver: () => boolean): Promise<void> {
    const { cluster, label, parameters, signal } = this.#work;
    const stop = new AbortController();
    const end = () => stop.abort();
    const { breaks } = parameters;
    const breakOff = cluster.clock.after(breaks / 2 + this.#actor.random.below(breaks), end);
    const silence = new Silence(() => cluster.clock.after(SILENCE_MS, end));
    signal.addEventListener('abort', end, { once: true });
    const request = { mount: 'secret', path: label, afterRevision: from };
    const batches = this.#actor.client.watch(request, { signal: stop.signal });
    try {
      for await (const batch of batches) {
        silence.isBroken();
        await this.#tell(this.#after ?? from, batch);
        if (isOver()) break;
      }
    } catch (error) {
      await this.#refused(from, error);
    } finally {
      signal.removeEventListener('abort', end);
      breakOff.cancel();
      silence.isOver();
      end();
    }
  }

  async #tell(after: number, batch: WatchBatch): Promise<void> {
    const { events, revision } = batch;
    this.#after = revision;
    await this.#record({ kind: 'watch', after }, () => ({ kind: 'told', events, revision }));
  }

  async #refused(from: number, error: unknown): Promise<void> {
    const input: WatchInput = { kind: 'watch', after: this.#after ?? from };
    await this.#record(input, () => {
      if (!hasCode(error, 'store.compacted')) throw error;
      return { kind: 'compacted', floor: Number(error.details['floor'] ?? 0) };
    });
    if (hasCode(error, 'store.compacted')) this.#after = undefined;
  }

  async #record(input: WatchInput, outcome: () => WatchOutput): Promise<void> {
    await this.#actor.act({ effect: 'told', input, call: async () => outcome() });
  }
}

/** A timer that each sign of life begins anew. */
class Silence {
  readonly #start: () => Timer;
  #timer: Timer;

  constructor(start: () => Timer) {
    this.#start = start;
    this.#timer = start();
  }

  isBroken(): void {
    this.#timer.cancel();
    this.#timer = this.#start();
  }

  isOver(): void {
    this.#timer.cancel();
  }
}

/** Where a watcher of this name may go on. */
function toldTo({ history }: Wanted, watcher: number): number | undefined {
  const output = history.entries.findLast(
    (entry) => entry.client === watcher && entry.outcome === 'ok',
  )?.output as WatchOutput | undefined;
  return output?.kind === 'told' || output?.kind === 'listed' ? output.revision : undefined;
}
