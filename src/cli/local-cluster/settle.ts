import type { StrongroomClient } from '../../client/index.ts';
import type { LocalCluster } from './layout.ts';
import { pause } from './processes.ts';

const SETTLE_MS = 60_000;
/** After so long, and as often, what is waited for is said. */
const SAY_MS = 5_000;
const LOOK_MS = 100;
const CALL_MS = 30_000;

interface Member {
  readonly node: number;
  readonly name: string;
  readonly role: string;
  readonly healthy: boolean;
  readonly sealState: string;
  readonly reason: string;
}

/**
 * Waits until every node is unsealed and healthy, and all voters vote, for at most a minute.
 *
 * @returns roles by node id, and what is still not well.
 */
export async function untilSettled(
  client: StrongroomClient,
  cluster: LocalCluster,
  parts: { readonly signal: AbortSignal; readonly say: (text: string) => void },
): Promise<{ readonly roles: ReadonlyMap<number, string>; readonly unsettled: string }> {
  const { signal, say } = parts;
  const began = performance.now();
  for (let saidAt = began; ; ) {
    const answer = await client.call('cluster.status', {}, { timeoutMs: CALL_MS, signal });
    const members = answer['members'] as readonly Member[];
    const unsettled = troublesOf(members, cluster).join(', ');
    const now = performance.now();
    if (unsettled === '' || now - began > SETTLE_MS) {
      return { roles: new Map(members.map((one) => [one.node, one.role])), unsettled };
    }
    if (now - saidAt > SAY_MS) {
      say(`Waiting: ${unsettled}`);
      saidAt = now;
    }
    await pause(LOOK_MS, signal);
    signal.throwIfAborted();
  }
}

function troublesOf(members: readonly Member[], { nodes }: LocalCluster): readonly string[] {
  return nodes.flatMap(({ name, kind }) => {
    const member = members.find((one) => one.name === name);
    if (member === undefined) return [`${name} is no member`];
    if (!member.healthy) return [`${name} is not healthy (${member.reason})`];
    if (member.sealState !== 'unsealed') return [`${name} is ${member.sealState}`];
    const votes = member.role === 'leader' || member.role === 'follower';
    return kind === 'voter' && !votes ? [`${name} does not vote yet`] : [];
  });
}
