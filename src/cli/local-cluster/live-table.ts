import type { StrongroomClient } from '../../client/index.ts';
import { pause } from './processes.ts';

const REFRESH_MS = 1_000;
const CALL_MS = 2_000;
const columns = ['node', 'name', 'region', 'role', 'term', 'applied', 'lag', 'seal', 'address', ''];

interface Member {
  readonly node: number;
  readonly name: string;
  readonly region: string;
  readonly role: string;
  readonly term: number;
  readonly applied: number;
  readonly lagEntries: number;
  readonly lagMs: number;
  readonly sealState: string;
  readonly apiAddress: string;
  readonly healthy: boolean;
  readonly reason: string;
}

/** Where the table goes: a terminal, or whoever reads lines. */
export interface LiveOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/**
 * Shows the nodes until `signal` ends it: drawn in place on a terminal; elsewhere one line each time
 * that something other than the indexes changes.
 */
export async function showLiveTable(
  client: StrongroomClient,
  out: LiveOutput,
  signal: AbortSignal,
): Promise<void> {
  const show = out.isTTY === true ? drawn(out) : told(out);
  let members: readonly Member[] = [];
  let answeredAt = performance.now();
  while (!signal.aborted) {
    const now = await membersOf(client, signal);
    if (signal.aborted) return;
    if (now !== undefined) {
      members = now;
      answeredAt = performance.now();
    }
    show(members, now === undefined ? performance.now() - answeredAt : undefined);
    await pause(REFRESH_MS, signal);
  }
}

type Show = (members: readonly Member[], silentMs: number | undefined) => void;

function drawn(out: LiveOutput): Show {
  let lines = 0;
  return (members, silentMs) => {
    const footer =
      silentMs === undefined
        ? 'Ctrl-C stops the nodes and keeps the data'
        : `No answer for ${Math.ceil(silentMs / 1_000)} s: an election, or too few nodes run`;
    // A line that wraps would be two, and the next drawing would begin at the wrong place.
    // A terminal that does not know its size says 0.
    const width = out.columns || Number.POSITIVE_INFINITY;
    const next = [...renderMembers(members), '', footer].map((line) => line.slice(0, width));
    // Up to the first line of the last drawing, and clear from there on.
    out.write(`${lines > 0 ? `\u001b[${lines}A\u001b[0J` : ''}${next.join('\n')}\n`);
    lines = next.length;
  };
}

function told(out: LiveOutput): Show {
  let said = '';
  return (members, silentMs) => {
    const now =
      silentMs === undefined
        ? members.map((one) => `${one.name}=${one.role}/${one.sealState}`).join(' ')
        : 'no answer: an election, or too few nodes run';
    if (now !== said) out.write(`${now}\n`);
    said = now;
  };
}

export function renderMembers(members: readonly Member[]): readonly string[] {
  const rows = members.map((one) => [
    String(one.node),
    one.name,
    one.region,
    one.role,
    one.term === 0 ? '-' : String(one.term),
    String(one.applied),
    one.role === 'replica' ? `${one.lagEntries} / ${one.lagMs} ms` : String(one.lagEntries),
    one.sealState,
    one.apiAddress,
    one.healthy ? '' : one.reason,
  ]);
  const table = [columns, ...rows];
  const widths = columns.map((_, at) => Math.max(...table.map((row) => (row[at] ?? '').length)));
  return table.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

async function membersOf(
  client: StrongroomClient,
  signal: AbortSignal,
): Promise<readonly Member[] | undefined> {
  try {
    const answer = await client.call('cluster.status', {}, { timeoutMs: CALL_MS, signal });
    return answer['members'] as readonly Member[];
  } catch {
    // An election is under way: the next look shows how it went.
    return undefined;
  }
}
