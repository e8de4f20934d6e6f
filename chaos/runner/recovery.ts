import type { Entry } from '../history/history.ts';

/** An operation that took longer than this met an outage; what is shorter is ordinary work. */
const OUTAGE_MS = 400;

/**
 * How long it took after `from` until every client's writes were acknowledged again: until the last
 * operation that was begun before `until` and failed or was slow has been followed by a write.
 *
 * @returns null when some client never wrote again; undefined when there is nothing to tell it by.
 */
export function writeRecovery(
  histories: readonly (readonly Entry[])[],
  from: number,
  until: number,
): number | null | undefined {
  const clients = histories.flatMap((entries) => byClient(entries));
  if (clients.length === 0) return undefined;
  let recovery = 0;
  for (const operations of clients) {
    const at = recoveredAt(operations, from, until);
    if (at === undefined) return null;
    recovery = Math.max(recovery, at - from);
  }
  return recovery;
}

/** Only of clients that write; each does one thing at a time. */
function byClient(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const clients = new Map<number, Entry[]>();
  for (const entry of entries) {
    const operations = clients.get(entry.client);
    if (operations === undefined) clients.set(entry.client, [entry]);
    else operations.push(entry);
  }
  const lists = [...clients.values()].filter((one) =>
    one.some((entry) => entry.effect === 'write'),
  );
  return lists.map((one) => one.sort((a, b) => a.calledAt - b.calledAt));
}

function recoveredAt(operations: readonly Entry[], from: number, until: number) {
  // What is in flight when the next fault comes is that one's, unless it waited long before.
  const isSlow = (one: Entry) => Math.min(one.returnedAt, until) - one.calledAt > OUTAGE_MS;
  const isDisturbed = (one: Entry) =>
    one.returnedAt > from &&
    one.calledAt < until &&
    (isSlow(one) || (one.outcome !== 'ok' && one.returnedAt <= until));
  const last = operations.findLastIndex(isDisturbed);
  const slow = operations[last];
  if (slow !== undefined && isWritten(slow)) return slow.returnedAt;
  // A write that was called before the fault may have been made before it: it proves nothing.
  return operations.slice(last + 1).find((one) => one.calledAt >= from && isWritten(one))
    ?.returnedAt;
}

const isWritten = (one: Entry) => one.effect === 'write' && one.outcome === 'ok';
