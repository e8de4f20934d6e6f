import type { Checker, Judgement } from './checker.ts';
import {
  checkerOfEach,
  groupBy,
  isAnswered,
  isBefore,
  mayPrecede,
  type Violation,
  violation,
} from './entries.ts';
import { findListCycle } from './list-cycle.ts';
import {
  elementsOf,
  type KeyOrder,
  type ListEntry,
  type ListInput,
  type ListOutput,
} from './list-entries.ts';

/**
 * Elle's list-append (Kingsbury and Alvaro 2020): since elements differ, a list tells the order of
 * all appends before it, so that what depended on what is known and need not be searched for.
 * Linear in the operations and in what the reads returned.
 */
export const listAppend: Checker = checkerOfEach<ListInput, ListOutput>({
  name: 'list-append',
  summary:
    'reads of each list are prefixes of one order, and no operations wait for each other in a circle',
  judges: 'list',
  judge(entries) {
    const orders: KeyOrder[] = [];
    for (const [key, operations] of groupBy(entries, (entry) => entry.input.key)) {
      const order = orderOf(operations);
      const found = judgeOrder(key, order);
      if (found !== undefined) return found;
      orders.push(order);
    }
    return findListCycle(orders) ?? about(entries, orders.length);
  },
});

function about(entries: readonly ListEntry[], keys: number): Judgement {
  const read = (entry: ListEntry) => entry.input.kind === 'read' && isAnswered(entry);
  const reads = entries.filter(read).length;
  if (reads === 0) return { kind: 'undecided', because: 'no read was answered' };
  return {
    kind: 'ok',
    about: `${entries.length - reads} appends to ${keys} lists in ${reads} reads`,
  };
}

function orderOf(operations: readonly ListEntry[]): KeyOrder {
  const appends = new Map<string, ListEntry>();
  const reads: ListEntry[] = [];
  let longest: ListEntry | undefined;
  for (const entry of operations) {
    if (entry.input.kind === 'append') appends.set(entry.input.element, entry);
    else if (isAnswered(entry)) {
      reads.push(entry);
      if (longest === undefined || elementsOf(entry).length > elementsOf(longest).length)
        longest = entry;
    }
  }
  return { order: elementsOf(longest), longest, appends, reads };
}

function judgeOrder(key: string, known: KeyOrder): Violation | undefined {
  const { order, longest, appends, reads } = known;
  const places = new Map(order.map((element, at) => [element, at]));
  if (longest !== undefined && places.size < order.length)
    return violation(`${key}: an element is there twice`, longest);
  for (const read of reads) {
    const elements = elementsOf(read);
    const at = elements.findIndex((element, index) => order[index] !== element);
    if (at !== -1) return violation(`${key}: two reads disagree on element ${at}`, longest, read);
    const last = elements.at(-1);
    const append = last === undefined ? undefined : appends.get(last);
    if (last !== undefined && append === undefined)
      return violation(`${key}: ${last} was never appended`, read);
    if (append !== undefined && !mayPrecede(append, read))
      return violation(`${key}: ${last} was read before it was appended`, append, read);
  }
  for (const element of order)
    if (!appends.has(element)) return violation(`${key}: ${element} was never appended`, longest);
  return judgeAppends(key, known, places);
}

/** Each acknowledged append is where its answer says, in every list that is long enough. */
function judgeAppends(
  key: string,
  { order, longest, appends, reads }: KeyOrder,
  places: ReadonlyMap<string, number>,
): Violation | undefined {
  const byLength = new Map<number, ListEntry>();
  // The last read to begin: what it lacks is lost.
  const last = reads.reduce<ListEntry | undefined>(
    (best, read) => (best === undefined || read.calledAt > best.calledAt ? read : best),
    undefined,
  );
  for (const [element, append] of appends) {
    if (append.output?.kind !== 'appended') continue;
    const { length } = append.output;
    const place = places.get(element);
    const twin = byLength.get(length);
    if (twin !== undefined)
      return violation(`${key}: two appends made element ${length}`, twin, append);
    byLength.set(length, append);
    if (place !== undefined && place !== length - 1)
      return violation(
        `${key}: ${element} was acknowledged as element ${length}, and is element ${place + 1}`,
        append,
        longest,
      );
    if (place !== undefined) continue;
    if (order.length >= length || (last !== undefined && isBefore(append, last)))
      return violation(
        `${key}: ${element} is lost`,
        append,
        order.length >= length ? longest : last,
      );
  }
  return undefined;
}
