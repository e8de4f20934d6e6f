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

/**
 * Shows the nodes until `signal` ends it: drawn in place on a terminal; elsewhere one line each time
 * that something other than the indexes changes.
 */
export async function showLiveTable(
  client: StrongroomClient,
  out: { write(text: string): unknown; readonly isTTY?: boolean },
  signal: AbortSignal,
): Promise<void> {
  let drawn = 0;
  let said = '';
  while (!signal.aborted) {
    const members = await membersOf(client, signal);
    if (members !== undefined && !signal.aborted) {
      if (out.isTTY === true) {
        const lines = renderMembers(members);
        // Up to the first line of the last drawing, and clear from there on.
        out.write(`${drawn > 0 ? `\u001b[${drawn}A\u001b[0J` : ''}${lines.join('\n')}\n`);
        drawn = lines.length;
      } else {
        const now = members.map((one) => `${one.name}=${one.role}/${one.sealState}`).join(' ');
        if (now !== said) out.write(`${now}\n`);
        said = now;
      }
    }
    await Promise.race([
      pause(REFRESH_MS),
      new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true })),
    ]);
  }
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
