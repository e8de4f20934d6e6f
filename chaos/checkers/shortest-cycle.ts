/** A directed graph whose nodes are numbered from 0. */
export class Graph {
  readonly #edges: number[][] = [];

  addNode(): number {
    return this.#edges.push([]) - 1;
  }

  addEdge(from: number, to: number): void {
    if (from !== to) this.#edges[from]?.push(to);
  }

  /**
   * A cycle, as its nodes in order, or undefined when there is none. Linear while there is none; one
   * that is found is the shortest through some node of it.
   */
  shortestCycle(): readonly number[] | undefined {
    const knotted = this.#knotted();
    let best: readonly number[] | undefined;
    let tries = 0;
    for (const start of knotted) {
      if (tries++ >= STARTS_MAX) break;
      const cycle = this.#cycleThrough(start, knotted);
      if (cycle !== undefined && cycle.length < (best?.length ?? Infinity)) best = cycle;
    }
    return best;
  }

  /** The nodes that are left when those without predecessors are taken away, and then the next (Kahn 1962). */
  #knotted(): ReadonlySet<number> {
    const incoming = this.#edges.map(() => 0);
    for (const targets of this.#edges)
      for (const to of targets) incoming[to] = (incoming[to] ?? 0) + 1;
    const free: number[] = [];
    incoming.forEach((count, node) => {
      if (count === 0) free.push(node);
    });
    const left = new Set(this.#edges.keys());
    for (let node = free.pop(); node !== undefined; node = free.pop()) {
      left.delete(node);
      for (const to of this.#edges[node] ?? []) {
        const count = (incoming[to] ?? 0) - 1;
        incoming[to] = count;
        if (count === 0) free.push(to);
      }
    }
    return left;
  }

  /** Breadth first, within `among`. */
  #cycleThrough(start: number, among: ReadonlySet<number>): readonly number[] | undefined {
    const cameFrom = new Map<number, number>();
    const queue = [start];
    for (let at = 0; at < queue.length; at++) {
      const node = queue[at] ?? start;
      for (const to of this.#edges[node] ?? []) {
        if (to === start) return pathTo(node, cameFrom);
        if (!among.has(to) || cameFrom.has(to)) continue;
        cameFrom.set(to, node);
        queue.push(to);
      }
    }
    return undefined;
  }
}

/** Of a broken history everything may be in cycles; some of them are enough to find a short one. */
const STARTS_MAX = 500;

function pathTo(end: number, cameFrom: ReadonlyMap<number, number>): readonly number[] {
  const path = [end];
  for (let node = cameFrom.get(end); node !== undefined; node = cameFrom.get(node))
    path.unshift(node);
  return path;
}
