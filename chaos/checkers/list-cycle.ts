import type { Entry } from '../history/history.ts';
import { isAnswered, type Violation, violation } from './entries.ts';
import { elementsOf, type KeyOrder, type ListEntry } from './list-entries.ts';
import { Graph } from './shortest-cycle.ts';

/**
 * Looks for operations each of which must have come before the next, in a circle: over all keys, by
 * write-write, write-read and read-write dependence, by revision, and by time (one returned before
 * the other was called).
 */
export function findListCycle(orders: readonly KeyOrder[]): Violation | undefined {
  const graph = new Graph();
  const nodes = new Map<ListEntry, number>();
  const shown: (ListEntry | undefined)[] = [];
  const nodeOf = (entry: ListEntry): number => {
    let node = nodes.get(entry);
    if (node === undefined) {
      node = graph.addNode();
      nodes.set(entry, node);
      shown[node] = entry;
    }
    return node;
  };
  for (const order of orders) addDependence(graph, nodeOf, order);
  const entries = [...nodes.keys()];
  addTime(graph, nodeOf, entries);
  addRevisions(graph, nodeOf, entries);
  const cycle = graph.shortestCycle();
  if (cycle === undefined) return undefined;
  return violation(
    'each of these operations must have come before the next, in a circle',
    ...cycle.map((node) => shown[node]),
  );
}

type NodeOf = (entry: ListEntry) => number;

function addDependence(graph: Graph, nodeOf: NodeOf, { order, appends, reads }: KeyOrder): void {
  const chain = order.flatMap((element) => appends.get(element) ?? []);
  chain.forEach((append, at) => {
    const next = chain[at + 1];
    if (next !== undefined) graph.addEdge(nodeOf(append), nodeOf(next));
  });
  for (const read of reads) {
    const length = elementsOf(read).length;
    const [before, after] = [chain[length - 1], chain[length]];
    const node = nodeOf(read);
    if (before !== undefined) graph.addEdge(nodeOf(before), node);
    if (after !== undefined) graph.addEdge(node, nodeOf(after));
  }
  // Acknowledged, and in no list that was read: still before and after others in time.
  for (const append of appends.values()) if (isAnswered(append)) nodeOf(append);
}

/** A chain of moments keeps the edges few: whoever returned leads to it, and it leads to whoever comes. */
function addTime(graph: Graph, nodeOf: NodeOf, entries: readonly ListEntry[]): void {
  const returned = entries.filter(isAnswered).sort((a, b) => a.returnedAt - b.returnedAt);
  const called = [...entries].sort((a, b) => a.calledAt - b.calledAt);
  let at = 0;
  let moment: number | undefined;
  for (const entry of called) {
    for (
      let done = returned[at];
      done !== undefined && done.returnedAt < entry.calledAt;
      done = returned[++at]
    )
      moment = next(graph, moment, nodeOf(done));
    if (moment !== undefined) graph.addEdge(moment, nodeOf(entry));
  }
}

/** A read holds all that was written up to its revision, of every key, and nothing after it. */
function addRevisions(graph: Graph, nodeOf: NodeOf, entries: readonly ListEntry[]): void {
  const rank = ({ input }: Entry) => ((input as ListEntry['input']).kind === 'append' ? 0 : 1);
  const ordered = entries
    .filter(isAnswered)
    // A refusal ("there is none") tells no revision.
    .filter((entry) => entry.output.revision > 0)
    .sort((a, b) => a.output.revision - b.output.revision || rank(a) - rank(b));
  let moment: number | undefined;
  let waiting: number[] = [];
  for (const entry of ordered) {
    const node = nodeOf(entry);
    if (entry.input.kind === 'read') {
      if (moment !== undefined) graph.addEdge(moment, node);
      waiting.push(node);
      continue;
    }
    if (moment !== undefined) graph.addEdge(moment, node);
    for (const read of waiting) graph.addEdge(read, node);
    waiting = [];
    moment = next(graph, moment, node);
  }
}

function next(graph: Graph, moment: number | undefined, arriving: number): number {
  const node = graph.addNode();
  if (moment !== undefined) graph.addEdge(moment, node);
  graph.addEdge(arriving, node);
  return node;
}
