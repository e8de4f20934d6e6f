import type { Cluster } from '../grounds/ground.ts';
import { sleep } from '../grounds/sleep.ts';
import type { Entry, History } from '../history/history.ts';
import type { Sample } from './record.ts';
import { statsOf } from './statistics.ts';

const EVERY_MS = 500;

/** Looks at the cluster and its clients again and again. */
export class Sampler {
  readonly samples: Sample[] = [];
  readonly #cluster: Cluster;
  readonly #histories: readonly History[];
  readonly #now: () => number;
  /** Of each history, how many entries were counted already. */
  readonly #counted: number[];
  #lastAt: number;

  constructor(cluster: Cluster, histories: readonly History[], now: () => number) {
    this.#cluster = cluster;
    this.#histories = histories;
    this.#now = now;
    this.#counted = histories.map(() => 0);
    this.#lastAt = now();
  }

  /** Until the signal comes; each sample is also told. */
  async run(signal: AbortSignal, told: (sample: Sample) => void): Promise<void> {
    while (!signal.aborted) {
      const began = this.#now();
      const sample = await this.#take();
      this.samples.push(sample);
      told(sample);
      await sleep(this.#cluster.clock, EVERY_MS - (this.#now() - began), signal);
    }
  }

  async #take(): Promise<Sample> {
    const observation = await this.#cluster.observe();
    const at = this.#now();
    const entries = this.#fresh();
    const elapsedMs = at - this.#lastAt;
    this.#lastAt = at;
    const of = (effect: Entry['effect']) =>
      statsOf(
        entries.filter((entry) => entry.effect === effect),
        elapsedMs,
      );
    return { at, observation, writes: of('write'), reads: of('read') };
  }

  #fresh(): readonly Entry[] {
    return this.#histories.flatMap((history, at) => {
      const from = this.#counted[at] ?? 0;
      this.#counted[at] = history.entries.length;
      return history.entries.slice(from);
    });
  }
}
