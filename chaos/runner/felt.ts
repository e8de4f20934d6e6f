import type { Fault } from '../faults/fault.ts';
import type { Cluster } from '../grounds/ground.ts';
import { sleep } from '../grounds/sleep.ts';

const LOOK_MS = 250;

/**
 * Whether the nodes felt a fault, by what they say of it themselves: a fault that was laid and left
 * no trace may have missed, and then its run proves nothing.
 */
export class Trace {
  readonly #cluster: Cluster;
  readonly #pattern: RegExp | undefined;
  readonly #marks = new Map<string, number>();

  constructor(cluster: Cluster, { felt }: Fault) {
    this.#cluster = cluster;
    this.#pattern = cluster.saidSince === undefined ? undefined : felt;
  }

  /** Before the fault is done. @param nodes those it is for; none: all. */
  async begin(nodes: readonly string[]): Promise<void> {
    if (this.#pattern === undefined) return;
    const named = nodes.length > 0 ? nodes : this.#cluster.nodes.map(({ name }) => name);
    for (const node of named) this.#marks.set(node, (await this.#said(node, 0)).length);
  }

  /**
   * Waits for the trace, so long and until `signal`.
   * @returns undefined when such a fault leaves no trace, or the ground shows none.
   */
  async wasFelt(waitMs: number, signal: AbortSignal): Promise<boolean | undefined> {
    if (this.#pattern === undefined || this.#marks.size === 0) return undefined;
    const { clock } = this.#cluster;
    const until = clock.monotonicMs() + waitMs;
    for (;;) {
      if (await this.#isTold(this.#pattern)) return true;
      if (signal.aborted || clock.monotonicMs() >= until) return false;
      await sleep(clock, LOOK_MS, signal);
    }
  }

  async #isTold(pattern: RegExp): Promise<boolean> {
    for (const [node, mark] of this.#marks)
      if (pattern.test((await this.#said(node, mark)).text)) return true;
    return false;
  }

  async #said(node: string, mark: number) {
    return (await this.#cluster.saidSince?.(node, mark)) ?? { text: '', length: 0 };
  }
}
